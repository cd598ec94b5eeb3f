"""Puts the names of an imported file into a namespace: `NAME` becomes `NS--NAME` where it is declared and where it
is used.

Source: spec 1.4, namespacing rules. Names that begin with `cloudify.`, primitive types, properties, interfaces,
operations and parameters keep their names.
"""

from collections.abc import Callable, Mapping
from typing import Final

from groundplan.dsl.operations import is_url
from groundplan.dsl.reader import as_map
from groundplan.model.types import OBJECT_TYPES, PRIMITIVES
from groundplan.model.values import Call, Field, Map, Seq, Value

DELIMITER: Final = "--"
_UNTOUCHED: Final = PRIMITIVES | OBJECT_TYPES
_KEYWORDS: Final = frozenset({"SELF", "SOURCE", "TARGET"})
_NAMING_NODES: Final = frozenset({"get_property", "get_attribute", "get_attributes_list", "get_attributes_dict"})

Rewrite = Callable[[Value], Value]


def qualify(sections: Mapping[str, Field], namespace: str) -> dict[str, Field]:
    """Return the sections of a file with all its names in a namespace."""
    namer = _Namer(namespace)
    return {key: _on_field(field, namer.sections.get(key, _same)) for key, field in sections.items()}


def qualify_values(field: Field, namespace: str) -> Field:
    """Return values written in a file of a namespace, which may be empty, with the names in their functions in it."""
    return _on_field(field, _Namer(namespace).values) if namespace else field


def _same(value: Value) -> Value:
    return value


def _on_field(field: Field, rewrite: Rewrite) -> Field:
    return Field(rewrite(field.value), field.at, field.key_at)


def _each(rewrite: Rewrite) -> Rewrite:
    """Apply to every value of a mapping or item of a list."""

    def apply(value: Value) -> Value:
        if isinstance(value, Seq):
            return Seq(tuple(_on_field(item, rewrite) for item in value.items), value.at, value.may_hold_calls)
        mapping = as_map(value)
        if mapping is None:
            return value
        return Map({key: _on_field(field, rewrite) for key, field in mapping.entries.items()}, mapping.at)

    return apply


def _keys(**rewrites: Rewrite) -> Rewrite:
    """Apply to the values of certain keys of a mapping."""

    def apply(value: Value) -> Value:
        mapping = as_map(value)
        if mapping is None:
            return value
        return Map(
            {key: _on_field(field, rewrites.get(key, _same)) for key, field in mapping.entries.items()}, mapping.at
        )

    return apply


class _Namer:
    """The rewriting of each section, for one namespace."""

    def __init__(self, namespace: str) -> None:
        self._prefix = namespace + DELIMITER
        values = self.values
        self._schemas = _each(_keys(type=self._type_name, default=values))
        types = self._named(self._type())
        self.sections: Mapping[str, Rewrite] = {
            "inputs": self._named(_keys(type=self._type_name, default=values)),
            "data_types": types,
            "node_types": types,
            "relationships": types,
            "plugins": self._named(_keys(properties=_each(_keys(value=values)))),
            "node_templates": self._named(self._template()),
            "workflows": self._named(self._workflow()),
            "groups": self._named(self._group()),
            "policies": self._named(_keys(type=self._name, targets=_each(self._name), properties=values)),
            "policy_types": self._named(_keys(properties=self._schemas)),
            "policy_triggers": self._named(_keys(parameters=self._schemas)),
            "outputs": self._named(_keys(value=values)),
            "capabilities": self._named(_keys(value=values)),
            "labels": self._named(values),
            "blueprint_labels": self._named(_same),
            "resource_tags": self._named(values),
        }

    def _type(self) -> Rewrite:
        interfaces = self._interfaces(self._schemas)
        return _keys(
            derived_from=self._name,
            properties=self._schemas,
            interfaces=interfaces,
            source_interfaces=interfaces,
            target_interfaces=interfaces,
        )

    def _template(self) -> Rewrite:
        values, interfaces = self.values, self._interfaces(self.values)
        relationship = _keys(
            type=self._name,
            target=self._name,
            properties=values,
            source_interfaces=interfaces,
            target_interfaces=interfaces,
        )
        return _keys(
            type=self._name,
            properties=values,
            interfaces=interfaces,
            relationships=_each(relationship),
            instances=values,
            capabilities=values,
        )

    def _workflow(self) -> Rewrite:
        return self._short_or_long(
            _keys(
                mapping=self._implementation,
                parameters=self._schemas,
                availability_rules=_keys(node_types_required=_each(self._name)),
            )
        )

    def _group(self) -> Rewrite:
        trigger = _keys(type=self._name, parameters=self.values)
        policy = _keys(type=self._name, properties=self.values, triggers=_each(trigger))
        return _keys(members=_each(self._name), policies=_each(policy))

    def _interfaces(self, inputs: Rewrite) -> Rewrite:
        return _each(_each(self._short_or_long(_keys(implementation=self._implementation, inputs=inputs))))

    def _own(self, name: str) -> str:
        """Return the name of something that the file itself declares."""
        return name if name.startswith("cloudify.") else self._prefix + name

    def _name(self, value: Value) -> Value:
        return self._own(value) if isinstance(value, str) else value

    def _type_name(self, value: Value) -> Value:
        return value if isinstance(value, str) and value in _UNTOUCHED else self._name(value)

    def _named(self, inner: Rewrite) -> Rewrite:
        """Rewrite the keys of a section, and its values by `inner`."""

        def apply(value: Value) -> Value:
            mapping = as_map(value)
            if mapping is None:
                return value
            return Map({self._own(key): _on_field(field, inner) for key, field in mapping.entries.items()}, mapping.at)

        return apply

    def _short_or_long(self, long_form: Rewrite) -> Rewrite:
        """Rewrite an implementation written alone, or the mapping that holds one."""

        def apply(value: Value) -> Value:
            return self._implementation(value) if isinstance(value, str) else long_form(value)

        return apply

    def _implementation(self, value: Value) -> Value:
        if not isinstance(value, str) or not value or "\n" in value.strip() or is_url(value):
            return value
        return value if value.startswith("cloudify.") else self._prefix + value

    def values(self, value: Value) -> Value:
        """Rewrite the names that functions mention, anywhere in a value."""
        if isinstance(value, Call):
            argument = self.values(value.argument)
            return Call(
                value.name, self._argument(value.name, argument), value.at, value.expected_type, value.argument_at
            )
        if isinstance(value, Map | Seq) and value.may_hold_calls:
            return _each(self.values)(value)
        return value

    def _argument(self, function: str, argument: Value) -> Value:
        is_input = function == "get_input"
        if not is_input and function not in _NAMING_NODES:
            return argument
        if isinstance(argument, str):
            return self._reference(argument) if is_input else argument
        if isinstance(argument, Seq) and argument.items and isinstance(argument.items[0].value, str):
            first = argument.items[0]
            named = Field(self._reference(first.value), first.at, first.key_at)
            return Seq((named, *argument.items[1:]), argument.at, argument.may_hold_calls)
        return argument

    def _reference(self, name: Value) -> Value:
        return name if name in _KEYWORDS or not isinstance(name, str) else self._prefix + name
