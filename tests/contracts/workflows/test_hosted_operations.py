"""Operations of plugins that are not ours: functions marked `@operation`, each in a process of its own."""

import pytest

from groundplan.model.execution import ExecutionStatus, TaskState
from groundplan.model.ids import BlueprintId, DeploymentId
from groundplan.service import blueprints
from groundplan.state.store import AttemptStart, Batch

from .conftest import CANARY
from .stage import NOW, SHOP, Stage

BODY = SHOP.replace(
    "workflows:\n",
    """  theirs:
    type: cloudify.nodes.Root
    properties: {}
    interfaces:
      cloudify.interfaces.lifecycle:
        create: {implementation: acme.acme.create, inputs: {amount: 2, hidden: {get_input: secret}}}
        start: {implementation: acme.acme.start, max_retries: 1}
workflows:
""",
)
CODE = """
from cloudify import ctx
from cloudify.decorators import operation
from cloudify.exceptions import NonRecoverableError, RecoverableError

@operation
def create(ctx, amount, hidden, **_):
    ctx.logger.info("%s of %s knows %s" % (ctx.node.name, ctx.deployment.id, hidden))
    ctx.instance.runtime_properties["made"] = {"amount": amount}
    ctx.instance.runtime_properties["made"]["more"] = amount + 1
    return {"made": amount}
"""


LAN = """
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
plugins: {own: {executor: central_deployment_agent, source: own}}
node_templates:
  lan:
    type: cloudify.nodes.Root
    interfaces: {cloudify.interfaces.lifecycle: {create: own.code.create, start: scripts/start.sh}}
"""


def install(stage: Stage, code: str) -> tuple[ExecutionStatus, str]:
    """Install the node of theirs with this code."""
    stage.deploy(CODE + code, body=BODY)
    ended = stage.drive(stage.start("install", parameters={"node_ids": ["theirs"]}))
    return ended.status, ended.error


def test_it_gets_its_inputs_and_changes_its_instance(stage: Stage) -> None:
    status, error = install(stage, "@operation(resumable=True)\ndef start(ctx, **kwargs):\n    assert not kwargs\n")
    assert (status, error) == (ExecutionStatus.TERMINATED, "")
    assert stage.instances()["theirs"].runtime_properties == {"made": {"amount": 2, "more": 3}}
    (execution,) = [item.id for item in stage.executions()]
    with stage.engine.store.snapshot() as snapshot:
        assert {"made": 2} in snapshot.results(execution).values()
    assert "theirs of shop knows ******" in stage.said(execution)
    assert CANARY not in str(stage.said(execution))


def test_code_and_scripts_of_an_imported_blueprint_come_from_its_files(stage: Stage) -> None:
    engine = stage.engine
    code = "def create(ctx, **_):\n    ctx.instance.runtime_properties['made'] = True\n"
    stage.write("lan/plugins/own/code.py", f"from cloudify.decorators import operation\n@operation\n{code}")
    stage.write("lan/scripts/start.sh", "#!/bin/sh\nctx instance runtime-properties started yes\n")
    lan = stage.write("lan/blueprint.yaml", LAN)
    blueprints.upload(engine.store, engine.home, engine.fetch, lan, NOW, id=BlueprintId("lan"))
    stage.deploy(CODE, body=SHOP.replace("plugin:groundplan-nop]", "plugin:groundplan-nop, net--blueprint:lan]"))
    ended = stage.drive(stage.start("install", parameters={"node_ids": ["net--lan"]}))
    assert ended.error == ""
    assert stage.instances()["net--lan"].runtime_properties == {"made": True, "started": "yes"}


def test_the_properties_of_its_plugin_and_the_tags_are_evaluated(stage: Stage) -> None:
    properties = "properties: {level: {value: 3}, key: {value: {get_input: secret}}, unset: {type: string}}"
    body = BODY.replace("source: acme}", f"source: acme, {properties}}}").replace("_dsl_1_4", "_dsl_1_5")
    start = """
@operation
def start(ctx, **_):
    ctx.logger.info("with %s" % ctx.plugin.properties)
    ctx.logger.info("tagged %s" % ctx.deployment.resource_tags)
    ctx.instance.runtime_properties["length"] = len(ctx.plugin.properties["key"])
"""
    stage.deploy(CODE + start, body=f"{body}\nresource_tags: {{of: {{get_sys: [deployment, id]}}, level: 3}}\n")
    execution = stage.start("install", parameters={"node_ids": ["theirs"]})
    assert stage.drive(execution).error == ""
    assert stage.instances()["theirs"].runtime_properties["length"] == len(CANARY)
    assert "tagged {'of': 'shop', 'level': '3'}" in stage.said(execution)
    assert "with {'level': 3, 'key': '******', 'unset': None}" in stage.said(execution)


@pytest.mark.parametrize(
    ("body", "error", "attempts"),
    [
        ("raise NonRecoverableError('never')", "never", 1),
        ("raise RecoverableError('later', retry_after=0)", "later", 2),
        ("raise ValueError('odd')", "ended with exit code 1: ValueError: odd", 2),
        ("return object()", "the result is no JSON", 1),
        ("import os; os._exit(5)", "ended with exit code 5", 2),
        ("return ctx.operation.retry('once more', 0)", "once more", 2),
    ],
)
def test_how_it_ends_is_how_the_task_ends(stage: Stage, body: str, error: str, attempts: int) -> None:
    status, found = install(stage, f"@operation\ndef start(ctx, **_):\n    {body}\n")
    assert status is ExecutionStatus.FAILED
    assert error in found
    (execution,) = [item.id for item in stage.executions()]
    assert stage.ran(execution)[-1] == ("theirs", "start", TaskState.FAILED, attempts)


@pytest.mark.parametrize(("resumable", "status"), [(True, "terminated"), (False, "failed")])
def test_one_that_was_cut_off_runs_again_only_when_it_is_resumable(
    local_stage: Stage, resumable: bool, status: str
) -> None:
    local_stage.deploy(CODE + f"@operation(resumable={resumable})\ndef start(ctx, **_):\n    pass\n", body=BODY)
    execution = local_stage.start("install", parameters={"node_ids": ["theirs"]})
    cut_off(local_stage)
    with pytest.raises(KeyboardInterrupt):
        local_stage.drive(execution)
    local_stage.seen.look = lambda _: None
    assert local_stage.resume(execution).status == status
    if not resumable:
        assert local_stage.ran(execution)[-1][2] is TaskState.INTERRUPTED
        assert local_stage.resume(execution, reset_operations=True).status == "terminated"


def cut_off(stage: Stage) -> None:
    """Have the driver die as soon as the second operation is recorded as begun."""

    def look(batch: Batch) -> None:
        if any(isinstance(it, AttemptStart) and it.task for it in batch.started):
            raise KeyboardInterrupt

    stage.seen.look = look


def test_a_plugin_whose_code_is_not_there_is_named(stage: Stage) -> None:
    status, error = install(stage, "")
    assert status is ExecutionStatus.FAILED
    assert "No plugin here stands for 'acme'" in error
    assert "acme.start cannot be imported" in error


SERIAL = """
@operation(resumable=True)
def start(ctx, **_):
    pass

@serial_operation(threshold=THRESHOLD, resumable=True)
def create(ctx, **_):
    ctx.instance.runtime_properties["seen"] = sorted(
        each["index"] for each in ctx._call("siblings") if each["state"] == "started"
    )
"""


@pytest.mark.parametrize(("threshold", "seen"), [(0, {1: [], 2: [1], 3: [1, 2]}), (1, {1: [], 2: [1], 3: [1]})])
def test_instances_take_turns_and_waiting_counts_for_no_limit(
    stage: Stage, threshold: int, seen: dict[int, list[int]]
) -> None:
    code = CODE.replace("import operation", "import operation, serial_operation").partition("@operation")[0]
    body = BODY.replace("inputs: {amount: 2, hidden: {get_input: secret}}", "max_retries: 0")
    body = body.replace("    properties: {}\n", "    instances: {deploy: 3}\n", 1)
    stage.deploy(code + SERIAL.replace("THRESHOLD", str(threshold)), body=body)
    ended = stage.drive(stage.start("install", parameters={"node_ids": ["theirs"]}))
    assert ended.error == ""
    with stage.engine.store.snapshot() as snapshot:
        found = {
            it.index: it.runtime_properties["seen"]
            for it in snapshot.instances(DeploymentId("shop"))
            if it.node == "theirs"
        }
    assert {index: found[index][: len(seen[index])] for index in seen} == seen
    waited = [line for line in stage.said(ended.id) if "waits for its turn" in line]
    assert waited


def test_who_waits_for_an_instance_that_never_comes_fails(stage: Stage) -> None:
    code = CODE.replace("import operation", "import operation, serial_operation").partition("@operation")[0]
    body = BODY.replace("inputs: {amount: 2, hidden: {get_input: secret}}", "max_retries: 0")
    body = body.replace("    properties: {}\n", "    instances: {deploy: 2}\n", 1)
    broken = SERIAL.replace("THRESHOLD", "0") + "    raise NonRecoverableError('never')\n"
    stage.deploy(code + broken, body=body)
    ended = stage.drive(stage.start("install", parameters={"node_ids": ["theirs"]}))
    assert ended.status is ExecutionStatus.FAILED
    assert "never" in ended.error
    assert "waits for its turn" in ended.error
