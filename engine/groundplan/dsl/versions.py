"""The table of the language: which element takes which keys, of which kind, and since which DSL version.

Everything that must know the shape of the language reads it here (`shape` checks texts against it). What the keys
mean is the business of `sections`. Source: spec parts 1.1 to 1.18.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from types import NoneType
from typing import Final

from groundplan.model.values import Call, Map, Seq

PREFIX: Final = "cloudify_dsl_"


class Version(IntEnum):
    """A version of the language, in order."""

    V1_0 = 0
    V1_1 = 1
    V1_2 = 2
    V1_3 = 3
    V1_4 = 4
    V1_5 = 5

    @property
    def text(self) -> str:
        """As `tosca_definitions_version` has it, for example `cloudify_dsl_1_3`."""
        return f"{PREFIX}1_{self.value}"

    @property
    def suffix(self) -> str:
        """As file names have it, for example `1_3`."""
        return f"1_{self.value}"


VERSIONS: Final = {version.text: version for version in Version}
STANDARD_TYPES_SINCE: Final = Version.V1_3
"""The oldest version that the bundled standard types are written in; older blueprints get that."""


class Kind(Enum):
    """What may stand as a key's value: words for people, and the types of `model.values`."""

    TEXT = ("text", (str,))
    BOOLEAN = ("true or false", (bool,))
    INTEGER = ("a whole number", (int,))
    NUMBER = ("a number", (int, float))
    MAPPING = ("a mapping", (Map, Call))
    LIST = ("a list", (Seq,))
    MAPPING_OR_LIST = ("a mapping or a list", (Map, Call, Seq))
    TEXT_OR_FUNCTION = ("text or a function", (str, Call))
    ANY = ("anything", ())

    def __init__(self, words: str, types: tuple[type, ...]) -> None:
        self.words = words
        self.types = frozenset(types)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an element. Nothing may stand where the key is not required; it counts as left out."""

    kind: Kind = Kind.TEXT
    since: Version = Version.V1_0
    required: bool = False

    @property
    def types(self) -> frozenset[type]:
        """The types of `model.values` that may stand there; of no use for a key of any kind."""
        return self.kind.types if self.required else self.kind.types | {NoneType}


@dataclass(frozen=True)
class Element:
    """A closed mapping: keys that are not in the table are faults.

    Attributes:
        name: in words, with its article: "a node template".
    """

    name: str
    keys: Mapping[str, Key]
    required: frozenset[str] = field(init=False)
    types: Mapping[str, frozenset[type]] = field(init=False)
    _known: tuple[frozenset[str], ...] = field(init=False)

    def __post_init__(self) -> None:
        """Work out what `shape` asks for again and again."""
        keys = self.keys.items()
        object.__setattr__(self, "required", frozenset(name for name, key in keys if key.required))
        object.__setattr__(self, "types", {name: key.types for name, key in keys if key.kind is not Kind.ANY})
        known = tuple(frozenset(name for name, key in keys if key.since <= version) for version in Version)
        object.__setattr__(self, "_known", known)

    def known(self, version: Version) -> frozenset[str]:
        """Return the keys that `version` has."""
        return self._known[version]


def _element(element_name: str, /, **keys: Key) -> Element:
    return Element(element_name, keys)


_TEXT, _MAP, _LIST, _ANY, _BOOL = Key(), Key(Kind.MAPPING), Key(Kind.LIST), Key(Kind.ANY), Key(Kind.BOOLEAN)
_NUMBER = Key(Kind.NUMBER)

BLUEPRINT: Final = _element(
    "a blueprint",
    tosca_definitions_version=_ANY,
    description=Key(since=Version.V1_2),
    metadata=_MAP,
    imports=_LIST,
    dsl_definitions=Key(Kind.MAPPING_OR_LIST, Version.V1_2),
    inputs=_MAP,
    data_types=Key(Kind.MAPPING, Version.V1_2),
    node_types=_MAP,
    relationships=_MAP,
    node_templates=_MAP,
    plugins=_MAP,
    workflows=_MAP,
    groups=_MAP,
    policies=Key(Kind.MAPPING, Version.V1_3),
    policy_types=_MAP,
    policy_triggers=_MAP,
    outputs=_MAP,
    capabilities=_MAP,
    labels=_MAP,
    blueprint_labels=_MAP,
    resource_tags=Key(Kind.MAPPING, Version.V1_3),
    deployment_settings=_MAP,
    imported_blueprints=_LIST,
    namespaces_mapping=_MAP,
)
"""Top-level sections (spec 1.3)."""

_REQUIRED = Key(Kind.BOOLEAN, Version.V1_2)
_PROPERTY_KEYS: Final = {"type": _TEXT, "default": _ANY, "description": _TEXT, "required": _REQUIRED}

PROPERTY: Final = Element("a property", _PROPERTY_KEYS)
OPERATION_INPUT: Final = Element("an operation input", _PROPERTY_KEYS)
LEGACY_PROPERTY: Final = Element("a property", _PROPERTY_KEYS)

INPUT: Final = Element(
    "an input",
    {
        **_PROPERTY_KEYS,
        "item_type": Key(since=Version.V1_4),
        "constraints": _LIST,
        "display_label": Key(since=Version.V1_3),
        "hidden": Key(Kind.BOOLEAN, Version.V1_3),
        "display": _MAP,
    },
)
PARAMETER: Final = Element(
    "a workflow parameter", {**_PROPERTY_KEYS, "item_type": Key(since=Version.V1_4), "constraints": _LIST}
)
DISPLAY: Final = _element("a display", rows=Key(Kind.INTEGER))

DATA_TYPE: Final = _element("a data type", properties=_MAP, derived_from=_TEXT, description=_TEXT, version=_TEXT)
NODE_TYPE: Final = _element(
    "a node type", derived_from=_TEXT, interfaces=_MAP, properties=_MAP, runtime_properties=_ANY
)
RELATIONSHIP_TYPE: Final = _element(
    "a relationship type", derived_from=_TEXT, properties=_MAP, source_interfaces=_MAP, target_interfaces=_MAP
)
OPERATION: Final = _element(
    "an operation",
    implementation=_TEXT,
    inputs=_MAP,
    executor=_TEXT,
    max_retries=Key(Kind.INTEGER, Version.V1_1),
    retry_interval=Key(Kind.NUMBER, Version.V1_1),
    timeout=_NUMBER,
    timeout_recoverable=_BOOL,
)
NODE_TEMPLATE: Final = _element(
    "a node template",
    type=Key(required=True),
    properties=_MAP,
    interfaces=_MAP,
    relationships=_LIST,
    instances=_MAP,
    capabilities=Key(Kind.MAPPING, Version.V1_3),
)
RELATIONSHIP: Final = _element(
    "a relationship",
    type=Key(required=True),
    target=Key(required=True),
    properties=_MAP,
    source_interfaces=_MAP,
    target_interfaces=_MAP,
)
INSTANCES: Final = _element("instances", deploy=Key(Kind.ANY))
CAPABILITIES: Final = _element("the capabilities of a node template", scalable=_MAP)
SCALABLE: Final = _element("scalable", properties=_MAP)
SCALABLE_PROPERTIES: Final = _element(
    "the properties of scalable", default_instances=_ANY, min_instances=_ANY, max_instances=_ANY
)
PLUGIN: Final = _element(
    "a plugin",
    executor=Key(required=True),
    install=_BOOL,
    source=_TEXT,
    install_arguments=Key(since=Version.V1_1),
    package_name=Key(since=Version.V1_2),
    package_version=Key(since=Version.V1_2),
    supported_platform=Key(Kind.ANY, Version.V1_2),
    distribution=Key(since=Version.V1_2),
    distribution_version=Key(since=Version.V1_2),
    distribution_release=Key(since=Version.V1_2),
    properties=Key(Kind.MAPPING, Version.V1_5),
    properties_description=Key(since=Version.V1_5),
)
PLUGIN_PROPERTY: Final = _element("a plugin property", type=_TEXT, description=_TEXT, display_label=_TEXT, value=_ANY)
WORKFLOW: Final = _element(
    "a workflow",
    mapping=Key(required=True),
    parameters=_MAP,
    is_cascading=_BOOL,
    availability_rules=Key(Kind.MAPPING, Version.V1_4),
)
AVAILABILITY: Final = _element(
    "availability rules", available=_BOOL, node_instances_active=_LIST, node_types_required=_LIST
)
GROUP: Final = _element("a group", members=Key(Kind.LIST, required=True), policies=_MAP)
GROUP_POLICY: Final = _element("a group's policy", type=Key(required=True), properties=_MAP, triggers=_MAP)
GROUP_TRIGGER: Final = _element("a trigger", type=Key(required=True), parameters=_MAP)
POLICY: Final = _element("a policy", type=Key(required=True), targets=Key(Kind.LIST, required=True), properties=_MAP)
POLICY_TYPE: Final = _element("a policy type", properties=_MAP, source=Key(required=True))
POLICY_TRIGGER: Final = _element("a policy trigger", parameters=_MAP, source=Key(required=True))
OUTPUT: Final = _element("an output", value=Key(Kind.ANY, required=True), description=_TEXT)
CAPABILITY: Final = _element("a capability", value=Key(Kind.ANY, required=True), description=_TEXT)
LABEL: Final = _element("a label", values=Key(Kind.LIST, required=True))
SETTINGS: Final = _element(
    "deployment settings",
    id_template=_TEXT,
    display_name=Key(Kind.TEXT_OR_FUNCTION),
    default_groups=_LIST,
    default_schedules=_MAP,
)
SCHEDULE: Final = _element(
    "a schedule",
    workflow=Key(required=True),
    since=Key(required=True),
    until=_TEXT,
    recurrence=_TEXT,
    timezone=_TEXT,
    weekdays=_LIST,
    count=Key(Kind.INTEGER),
    default_enabled=_BOOL,
    stop_after_fail=_BOOL,
    slip=Key(Kind.INTEGER),
    execution_arguments=_MAP,
    workflow_parameters=_MAP,
)
EXECUTION_ARGUMENTS: Final = _element(
    "execution arguments", force=_BOOL, is_dry_run=_BOOL, wait_after_fail=_NUMBER, allow_custom_parameters=_BOOL
)

MERGEABLE: Final = frozenset(
    {
        "data_types",
        "node_types",
        "relationships",
        "plugins",
        "workflows",
        "groups",
        "policy_types",
        "policy_triggers",
    }
)
"""Sections that several files may fill, key by key, in every version (spec 1.3, 1.5)."""

MERGEABLE_SINCE_1_3: Final = frozenset(
    {"inputs", "outputs", "node_templates", "capabilities", "labels", "blueprint_labels", "resource_tags"}
)
KEEPS_FIRST: Final = frozenset({"labels", "blueprint_labels", "resource_tags"})
"""Sections in which the first of two equal keys stays."""

TYPES_SINCE: Final = {
    "blueprint_id": Version.V1_4,
    "deployment_id": Version.V1_4,
    "capability_value": Version.V1_4,
    "scaling_group": Version.V1_4,
    "node_id": Version.V1_4,
    "node_type": Version.V1_4,
    "node_instance": Version.V1_4,
    "secret_key": Version.V1_4,
    "operation_name": Version.V1_5,
}
FUNCTIONS_SINCE: Final = {"concat": Version.V1_1, "merge": Version.V1_3}
CONSTRAINT_MESSAGE_SINCE: Final = Version.V1_5
IMPORT_PROPERTIES_SINCE: Final = Version.V1_5
