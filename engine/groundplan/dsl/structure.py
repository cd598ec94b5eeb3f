"""Which element of the language stands where: `versions` says what each one takes, this says what it is made of.

For whoever must know the shape without a text at hand: the JSON Schema and the language server. Texts are held
against the language by `shape` and `sections`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from groundplan.dsl import versions as v
from groundplan.dsl.versions import Element, Kind


@dataclass(frozen=True, slots=True)
class Plain:
    """A value of some kind; `choices` where the language knows them all."""

    kind: Kind = Kind.ANY
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """A mapping whose keys are the author's, all values of one form."""

    item: "Form"


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of values of one form."""

    item: "Form"
    least: int = 0


@dataclass(frozen=True, slots=True)
class Closed:
    """An element.

    Attributes:
        inside: forms of its keys, where the table's kind does not say all.
        short: whether text may stand for it.
    """

    element: Element
    inside: Mapping[str, "Form"] = field(default_factory=dict)
    short: bool = False

    def form(self, key: str) -> "Form":
        """Return the form of the value under a key of the element."""
        return self.inside.get(key) or Plain(self.element.keys[key].kind)


@dataclass(frozen=True, slots=True)
class Constraint:
    """A mapping with one operator, and in later versions a message."""


@dataclass(frozen=True, slots=True)
class Import:
    """Text, or in later versions a mapping with one import and the properties of its plugins."""


Form: TypeAlias = Plain | Named | Listed | Closed | Constraint | Import

_TEXT: Final = Plain(Kind.TEXT)
_TEXTS: Final = Listed(_TEXT)
_EXECUTOR: Final = Plain(Kind.TEXT, ("central_deployment_agent", "host_agent"))
_STATES: Final = Plain(Kind.TEXT, ("all", "partial", "none"))


def _properties(element: Element) -> Named:
    return Named(Closed(element))


def _interfaces(inputs: Form) -> Named:
    operation = Closed(v.OPERATION, {"inputs": inputs, "executor": _EXECUTOR}, short=True)
    return Named(Named(operation))


_VALUES: Final = Named(Plain())
_TYPE_INTERFACES: Final = _interfaces(_properties(v.OPERATION_INPUT))
_TEMPLATE_INTERFACES: Final = _interfaces(_VALUES)
_CONSTRAINTS: Final = Listed(Constraint())
_SCALABLE: Final = Closed(v.SCALABLE, {"properties": Closed(v.SCALABLE_PROPERTIES)})
_RELATIONSHIP: Final = Closed(
    v.RELATIONSHIP,
    {
        "properties": _VALUES,
        "source_interfaces": _TEMPLATE_INTERFACES,
        "target_interfaces": _TEMPLATE_INTERFACES,
    },
)
_NODE_TEMPLATE: Final = Closed(
    v.NODE_TEMPLATE,
    {
        "properties": _VALUES,
        "interfaces": _TEMPLATE_INTERFACES,
        "relationships": Listed(_RELATIONSHIP),
        "instances": Closed(v.INSTANCES),
        "capabilities": Closed(v.CAPABILITIES, {"scalable": _SCALABLE}),
    },
)
_GROUP: Final = Closed(
    v.GROUP,
    {
        "members": Listed(_TEXT, least=1),
        "policies": Named(
            Closed(
                v.GROUP_POLICY,
                {"properties": _VALUES, "triggers": Named(Closed(v.GROUP_TRIGGER, {"parameters": _VALUES}))},
            )
        ),
    },
)
_SCHEDULE: Final = Closed(
    v.SCHEDULE,
    {
        "weekdays": _TEXTS,
        "execution_arguments": Closed(v.EXECUTION_ARGUMENTS),
        "workflow_parameters": _VALUES,
    },
)

BLUEPRINT: Final = Closed(
    v.BLUEPRINT,
    {
        "imports": Listed(Import()),
        "inputs": Named(Closed(v.INPUT, {"constraints": _CONSTRAINTS, "display": Closed(v.DISPLAY)})),
        "data_types": Named(Closed(v.DATA_TYPE, {"properties": _properties(v.PROPERTY)})),
        "node_types": Named(
            Closed(v.NODE_TYPE, {"properties": _properties(v.PROPERTY), "interfaces": _TYPE_INTERFACES})
        ),
        "relationships": Named(
            Closed(
                v.RELATIONSHIP_TYPE,
                {
                    "properties": _properties(v.PROPERTY),
                    "source_interfaces": _TYPE_INTERFACES,
                    "target_interfaces": _TYPE_INTERFACES,
                },
            )
        ),
        "node_templates": Named(_NODE_TEMPLATE),
        "plugins": Named(Closed(v.PLUGIN, {"executor": _EXECUTOR, "properties": _properties(v.PLUGIN_PROPERTY)})),
        "workflows": Named(
            Closed(
                v.WORKFLOW,
                {
                    "parameters": Named(Closed(v.PARAMETER, {"constraints": _CONSTRAINTS})),
                    "availability_rules": Closed(
                        v.AVAILABILITY, {"node_instances_active": Listed(_STATES), "node_types_required": _TEXTS}
                    ),
                },
                short=True,
            )
        ),
        "groups": Named(_GROUP),
        "policies": Named(Closed(v.POLICY, {"targets": Listed(_TEXT, least=1), "properties": _VALUES})),
        "policy_types": Named(Closed(v.POLICY_TYPE, {"properties": _properties(v.PROPERTY)})),
        "policy_triggers": Named(Closed(v.POLICY_TRIGGER, {"parameters": _properties(v.PROPERTY)})),
        "outputs": Named(Closed(v.OUTPUT)),
        "capabilities": Named(Closed(v.CAPABILITY)),
        "labels": Named(Closed(v.LABEL)),
        "blueprint_labels": Named(Closed(v.LABEL, {"values": _TEXTS})),
        "deployment_settings": Closed(v.SETTINGS, {"default_groups": _TEXTS, "default_schedules": Named(_SCHEDULE)}),
    },
)
"""The whole language, from its top-level sections down."""


def form_at(steps: Iterable[str]) -> Form | None:
    """Return the form of what stands at a path of keys, `-` standing for an item of a list; None where none can."""
    form: Form = BLUEPRINT
    for step in steps:
        if isinstance(form, Closed) and step in form.element.keys:
            form = form.form(step)
        elif isinstance(form, Named) or (isinstance(form, Listed) and step == "-"):
            form = form.item
        elif isinstance(form, Plain) and form.kind in (Kind.ANY, Kind.MAPPING, Kind.LIST, Kind.MAPPING_OR_LIST):
            form = Plain()
        else:
            return None
    return form
