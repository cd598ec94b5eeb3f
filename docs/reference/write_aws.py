"""Writes what is told of the rows of the AWS plugin: parts of its plugin.yaml, and docs/reference/plugins/aws.md.

`make docs` runs it; tests hold both files to what it gives. The types of fields are asked of boto3's service models,
and what was tried against what of the tests' own table. It knows no row by name.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from botocore import xform_name
from botocore.session import Session

ROOT: Final = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

# E402: the table of trials is found only when the repository's root is on the path.
from tests.plugins.aws.trials import PART_TRIALS, TRIALS, UNTRIED  # noqa: E402

from groundplan_aws.catalogue import PARTS, ROWS  # noqa: E402
from groundplan_aws.older import OLDER_NODES, Older, Word  # noqa: E402
from groundplan_aws.part import Part  # noqa: E402
from groundplan_aws.resource import Resource, Step  # noqa: E402
from groundplan_aws.rows.older import ROWS as OLDER_ROWS  # noqa: E402

MANIFEST: Final = ROOT / "plugins/groundplan_aws/plugin.yaml"
PAGE: Final = ROOT / "docs/reference/plugins/aws.md"
HEAD: Final = """# AWS: node types

Written by `make docs` from the plugin's table of resources and its plugin.yaml. The plugin stands for
cloudify-aws-plugin: names of types, properties and operation paths are its, the code is ours. `client_config`,
`use_external_resource` and `resource_id` are properties of every type; `resource_config` holds the parameters of
boto3's create call, by name or in `kwargs`, and a document may be written as YAML where AWS wants JSON text.

Where and as whom: a node's `client_config` goes before the properties of the plugin's import, and these before the
environment and `~/.aws`, which a home bound to the sandbox does not heed. A node that gives one of the keys or the
token takes none of them from the import.

```yaml
tosca_definitions_version: cloudify_dsl_1_5
imports:
  - cloudify/types/types.yaml
  - plugin:cloudify-aws-plugin:
      region_name: us-west-1
      aws_access_key_id: {get_secret: aws_access_key_id}
      aws_secret_access_key: {get_secret: aws_secret_access_key}
```

The other properties are `aws_session_token`, `endpoint_url`, `api_version` and `assume_role`.

What all types do: a repeated create finds what an earlier attempt made (by the tag `groundplan:instance`, or, where AWS
has no tags, by a name that the deployment remembers); a name that somebody else took is refused; external resources are
looked up by id or name and left as they are; delete takes absence for done. The last column tells the parameters that
related nodes give, whatever the relationship.

"Tried" means: created, created again after the record of the first attempt was lost, looked up, compared, told
apart from one of the same name that somebody else made, deleted without a record and deleted again. Types marked
"by parts" have tests of their own. moto is the sandbox's, with its corrections. Nothing was tried on an account of AWS,
nor what moto cannot give: quotas, permissions of single calls, and waits that take minutes.

"""
OLDER_HEAD: Final = """
## Versions before 2.0

The types of versions before 2.0 (`cloudify.aws.nodes.*`) are the newer ones in other words: each derives from the type
of its row, whose properties, operations and parameters of related nodes it has too, so that both families mix in one
blueprint. `aws_config` is said as `client_config` (`ec2_region_name`, `elb_region_name` or `region` as `region_name`;
an endpoint likewise), `tags` and an instance's `name` as `Tags`. An arrow shows where a property goes in the parameters
of the create call; one without is translated or read by the operation. What stands in `resource_config` goes before.
`parameters` takes boto 2's names (`placement`, `block_device_map`) and boto3's, and refuses others.

Besides these: `WindowsInstance` (an instance with other defaults; its `use_password` must be false),
`SecurityGroupRule`, whose rules a group takes by `security_group_uses_rule`, and `SecurityGroupRule.Multi`, which puts
them into the group that contains it, with the group that it depends on for their source.

Each row was tried by a blueprint that has a node of each type: installed and uninstalled against moto 5.2.5.
`SecurityGroupRule.Multi` was tried by itself, `WindowsInstance` was not.

| type | said in | properties | runtime properties besides the newer type's |
|---|---|---|---|
"""
_KINDS: Final = {"string": "string", "integer": "integer", "long": "integer", "boolean": "boolean", "list": "list"}
_DOCUMENTS: Final = ("Document", "Policy", "Body")
_LOOK: Final = (
    Step(operation="check_drift", path="groundplan_aws.check_drift", function="lifecycle:check_drift"),
    Step(operation="modify", path="groundplan_aws.modify", function="lifecycle:modify"),
    Step(operation="pull", path="groundplan_aws.pull", function="lifecycle:pull"),
)
_LOOK_AT_PART: Final = Step(
    operation="check_drift", path="groundplan_aws.parts.check_drift", function="parts:check_drift"
)
_STATUS: Final = "aws.cloudify_aws.workflows.check_status.check_status"
_STATUS_OF_PART: Final = "aws.groundplan_aws.parts.check_status"
_BY_PARTS: Final = "moto 5.2.5, by parts"
_ELSEWHERE: Final = {
    "cloudify.nodes.aws.lambda.Invoke": "a server of the tests in Lambda's place: moto runs no functions"
}
"""Types whose tests have no moto."""
_OWN_TESTS: Final = frozenset(
    {
        "cloudify.nodes.aws.ec2.EBSAttachment",
        "cloudify.nodes.aws.ecr.AuthenticationToken",
        "cloudify.nodes.aws.ec2.NetworkAclEntry",
        "cloudify.nodes.aws.ec2.Route",
        "cloudify.nodes.aws.ec2.SecurityGroupRuleEgress",
        "cloudify.nodes.aws.ec2.SecurityGroupRuleIngress",
        "cloudify.nodes.aws.iam.AccessKey",
        "cloudify.nodes.aws.iam.LoginProfile",
        "cloudify.nodes.aws.rds.Option",
        "cloudify.nodes.aws.rds.Parameter",
        "cloudify.nodes.aws.s3.Bucket",
        "cloudify.nodes.aws.s3.BucketObject",
    }
)
"""Types without a row, or that inherit one, with tests in tests/plugins/aws."""
_VALIDATION: Final = "cloudify.interfaces.validation"
_LIFECYCLE: Final = "cloudify.interfaces.lifecycle"
_BASE: Final = "groundplan.nodes.aws.Resource"
_PART: Final = "groundplan.nodes.aws.Part"
_BASES: Final = {"ec2": "cloudify.nodes.aws.ec2.BaseType"}
_SESSION: Final = Session()


def generated() -> tuple[Resource | Part, ...]:
    """The rows whose types are written here; those without a path are written by hand."""
    return (*(row for row in ROWS if row.path), *PARTS.values())


def steps(row: Resource | Part) -> list[Step]:
    """All operations of a row's type: its own, and those that every type has."""
    if isinstance(row, Part):
        return [*row.steps, *((_LOOK_AT_PART,) if row.look else ())]
    own = {step.operation for step in row.steps}
    return [
        *row.steps,
        *(step for step in _LOOK if step.operation not in own and (step.operation != "modify" or row.modify)),
    ]


def path(row: Resource | Part, step: Step) -> str:
    """The whole operation path."""
    return step.path if "." in step.path else f"cloudify_aws.{row.path}.{step.path}"


def config(row: Resource | Part) -> str:
    """The name of the data type of `resource_config`."""
    return row.config or row.node_type.replace("cloudify.nodes.", "cloudify.datatypes.") + ".config"


def kind(row: Resource | Part, field: str) -> str | None:
    """The type of a field by the service's model; None for a document, which may be text or data."""
    model = _SESSION.get_service_model(row.service)
    operation = next(name for name in model.operation_names if xform_name(name) == row.create)
    shape = model.operation_model(operation).input_shape
    member = shape.members.get(field) if shape else None
    if member is None or field.endswith(_DOCUMENTS):
        return None
    return _KINDS.get(member.type_name)


def operations() -> Iterator[str]:
    """The lines that tie paths to functions."""
    told = set()
    for row in generated():
        for step in steps(row):
            line = f"    {path(row, step)}: groundplan_aws.{step.function}"
            if line not in told and not path(row, step).startswith("groundplan_aws."):
                told.add(line)
                yield line
    for older in OLDER_ROWS:
        for step in older.steps:
            yield f"    {step.path}: groundplan_aws.{step.function}"


def data_types() -> Iterator[str]:
    """The data types of `resource_config`."""
    for row in {config(row): row for row in generated()}.values():
        yield f"  {config(row)}:"
        yield "    properties:"
        for field in row.fields:
            yield f"      {field}:"
            if known := kind(row, field):
                yield f"        type: {known}"
            yield "        required: false"
        yield "      kwargs:"
        yield f"        description: Further parameters of boto3's {row.create}."
        yield "        default: {}"
        yield ""


def node_types() -> Iterator[str]:
    """The node types."""
    for row in generated():
        yield f"  {row.node_type}:"
        base = _PART if isinstance(row, Part) else _BASES.get(row.service, _BASE)
        yield f"    derived_from: {base}"
        yield "    properties:"
        yield "      resource_config:"
        yield "        description: Parameters of the create call, in boto3's spelling."
        yield f"        type: {config(row)}"
        yield "        required: false"
        yield from property_lines(row)
        yield "    interfaces:"
        if not isinstance(row, Part) or row.look:
            yield "      cloudify.interfaces.validation:"
            yield f"        check_status: {_STATUS_OF_PART if isinstance(row, Part) else _STATUS}"
        yield from interface_lines(row)
        yield ""


def interface_lines(row: Resource | Part) -> Iterator[str]:
    """The operations of a type, by interface."""
    found = steps(row)
    for interface in dict.fromkeys(["", *(step.interface for step in found)]):
        yield f"      {interface or _LIFECYCLE}:"
        for step in (each for each in found if each.interface == interface):
            if step.operation in ("check_drift", "pull"):
                yield f"        {step.operation}: aws.{path(row, step)}"
                continue
            yield f"        {step.operation}:"
            yield f"          implementation: aws.{path(row, step)}"
            yield "          inputs: *inputs"


def older_types() -> Iterator[str]:
    """The node types of versions before 2.0."""
    for older in OLDER_ROWS:
        yield f"  {older.node_type}:"
        yield f"    derived_from: {older.newer}"
        yield "    properties:"
        yield "      aws_config:"
        yield "        description: Where to connect and as whom, where client_config does not say."
        yield "        type: cloudify.datatypes.aws.Config"
        yield "        required: false"
        yield "      tags:"
        yield "        description: Names and values; Tags goes before."
        yield "        default: {}"
        for word in older.words:
            yield from word_lines(word)
        yield "    interfaces:"
        yield "      cloudify.interfaces.lifecycle:"
        for step in older.steps:
            yield f"        {step.operation}:"
            yield f"          implementation: aws.{step.path}"
            yield "          inputs: *inputs"
        yield ""


def word_lines(word: Word) -> Iterator[str]:
    """A property of an older type."""
    yield f"      {word.name}:"
    yield f"        description: '{word.description}'"
    if word.type:
        yield f"        type: {word.type}"
    if word.default is not None:
        yield f"        default: {json.dumps(word.default)}"
    elif not word.required:
        yield "        required: false"


def property_lines(row: Resource | Part) -> Iterator[str]:
    """The properties that no other type has."""
    for found in row.properties:
        yield f"      {found.name}:"
        yield f"        description: '{found.description}'"
        yield f"        type: {found.type}"
        yield f"        default: {json.dumps(found.default)}"


def manifest(text: str) -> str:
    """The manifest with its generated parts written anew."""
    parts = {
        "operations": operations(),
        "data types": data_types(),
        "node types": node_types(),
        "older types": older_types(),
    }
    for name, lines in parts.items():
        head, _, rest = text.partition(f"# Generated: {name}.\n")
        indent, _, tail = rest.partition("# End of what is generated.\n")
        margin = indent.rpartition("\n")[2]
        body = "\n".join(lines).rstrip("\n")
        text = f"{head}# Generated: {name}.\n{body}\n{margin}# End of what is generated.\n{tail}"
    return text


def page(text: str) -> str:
    """The reference page, from the manifest's text."""
    whole = yaml.load(text, yaml.CSafeLoader)
    declared, types = whole["node_types"], whole["data_types"]
    rows: dict[str, Resource | Part] = {row.node_type: row for row in ROWS} | PARTS
    lines = [
        "| type | operations | own properties | fields of resource_config | tried | related nodes give |",
        "|---|---|---|---|---|---|",
    ]
    for name, shape in declared.items():
        if not name.endswith((".BaseType", ".aws.Resource", ".aws.Part")) and not name.startswith(OLDER_NODES):
            lines.append(_line(name, shape, rows.get(name), types))
    return HEAD + "\n".join(lines) + "\n" + OLDER_HEAD + "\n".join(map(_older_line, OLDER_ROWS)) + "\n"


def _older_line(older: Older) -> str:
    words = [f"`{word.name}`{_said(word)}" for word in older.words]
    if older.named:
        words.append(f"`resource_id` → `{older.named}`")
    told = [f"`{name}`" for name in (*older.told, *older.told_first)]
    name = older.node_type.removeprefix(OLDER_NODES)
    newer = older.newer.removeprefix("cloudify.nodes.aws.")
    cells = [f"`{name}`", f"`{newer}`", ", ".join(words), ", ".join(told)]
    return "| " + " | ".join(cells) + " |"


def _said(word: Word) -> str:
    if word.property:
        return f" → property `{word.property}`"
    return f" → `{'.'.join(word.to)}`" if word.to else ""


def _line(name: str, shape: dict[str, Any], row: Resource | Part | None, types: dict[str, Any]) -> str:
    common = {"use_external_resource", "client_config", "resource_id", "resource_config", "Tags", "cloudify_tagging"}
    properties = shape.get("properties", {})
    own = [f"`{found}`" for found in properties if found not in common]
    told = {kind: each for kind, each in shape.get("interfaces", {}).items() if kind != _VALIDATION}
    operations = [f"`{found}`" for kind in sorted(told, key=lambda kind: kind != _LIFECYCLE) for found in told[kind]]
    fields = types.get(properties.get("resource_config", {}).get("type"), {}).get("properties", {})
    named = [f"`{found}`" for found in fields if found != "kwargs"]
    gifts = [f"`{gift.parameter}`" for gift in row.gifts] if row else []
    cells = [f"`{name.removeprefix('cloudify.nodes.aws.')}`", *(", ".join(cell) for cell in (operations, own, named))]
    return "| " + " | ".join([*cells, tried(name), ", ".join(dict.fromkeys(gifts))]) + " |"


def tried(name: str) -> str:
    """What a type was tried against."""
    trial = TRIALS.get(name) or PART_TRIALS.get(name)
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    if trial is None:
        return _BY_PARTS if name in _OWN_TESTS else f"not tried: {UNTRIED[name]}"
    named = isinstance(trial.row, Resource) and trial.row.name
    lacks = [] if trial.refused or not named else ["moto does not refuse a taken name"]
    lacks += ["moto forgets tags given at creation"] if trial.forgets else []
    return "moto 5.2.5" + (f" ({'; '.join(lacks)})" if lacks else "")


if __name__ == "__main__":
    written = manifest(MANIFEST.read_text("utf-8"))
    MANIFEST.write_text(written, "utf-8")
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(written), "utf-8")
