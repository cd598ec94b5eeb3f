"""What a node says of its module: source, variables, environment, backend, flags. Types and their reading only.

How the source is had says `source`; what becomes of it in a folder, `workspace`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from groundplan.model.values import Data
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.scripts import environment

OVERRIDES: Final = "overrides"
"""The runtime property with what a reload gave in the place of the node's properties."""
_FLAGS: Final[Mapping[str, frozenset[str]]] = {
    "parallelism": frozenset({"plan", "apply", "destroy"}),
    "target": frozenset({"plan", "apply", "destroy"}),
    "replace": frozenset({"plan", "apply"}),
    "refresh": frozenset({"plan", "apply", "destroy"}),
    "lock": frozenset({"init", "plan", "apply", "destroy"}),
    "lock-timeout": frozenset({"init", "plan", "apply", "destroy"}),
    "compact-warnings": frozenset({"plan", "apply", "destroy"}),
    "upgrade": frozenset({"init"}),
    "reconfigure": frozenset({"init"}),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where a module comes from.

    Attributes:
        location: a folder or an archive beside the blueprint, or the http(s) URL of an archive.
        path: the module's folder inside of it; empty for all of it.
    """

    location: str
    path: str = ""
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class RootModule:
    """A node's module with all that it is applied with.

    Attributes:
        tfvars: a file of variables inside the module; `variables` count more.
        backend: `{"name": "s3", "options": {...}, "credentials": {...}}`, or empty for the engine's own keeping.
        providers: blocks of providers, `{"name": "aws", "options": {...}}` each, and the file they take the place of.
        flags: of the command line, `-NAME` or `-NAME=VALUE`, by command.
    """

    source: Source
    variables: Mapping[str, Data] = field(default_factory=dict, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    tfvars: str = ""
    backend: Mapping[str, Data] = field(default_factory=dict, repr=False)
    providers: Sequence[Mapping[str, Data]] = ()
    providers_file: str = "provider.tf"
    required_providers: Mapping[str, Data] = field(default_factory=dict)
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_logged: bool = True

    @classmethod
    def from_properties(cls, properties: Mapping[str, Data], overrides: Mapping[str, Data]) -> Self:
        """Read a node's properties, and what stands in their place (`source`, `source_path`, `variables`...).

        Raises:
            NonRecoverableError: they are not of that form, or ask for what is not there yet.
        """
        _refuse_companions(properties)
        given = _mapping("resource_config", properties.get("resource_config"))
        backend = _mapping("backend", given.get("backend"))
        provider = _mapping("provider", given.get("provider"))
        return cls(
            source=_source(
                overrides.get("source") or given.get("source"), overrides.get("source_path") or given.get("source_path")
            ),
            variables={**_mapping("variables", given.get("variables")), **(overrides.get("variables") or {})},
            environment=environment(
                {
                    **_mapping("environment_variables", given.get("environment_variables")),
                    **(overrides.get("environment_variables") or {}),
                }
            ),
            tfvars=str(given.get("tfvars") or ""),
            backend=backend if backend.get("name") else {},
            providers=tuple(_mapping("provider.providers", item) for item in provider.get("providers") or ()),
            providers_file=str(provider.get("filename") or "provider.tf"),
            required_providers=_mapping(
                "required_providers",
                _mapping("required_providers", given.get("required_providers")).get("required_providers"),
            ),
            flags=_flags(given.get("flags_override") or (), is_upgrading=bool(properties.get("provider_upgrade"))),
            is_logged=bool(given.get("log_stdout", True)),
        )


def _mapping(name: str, value: Data) -> Mapping[str, Data]:
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping):
        raise NonRecoverableError(f"{name} must be a mapping, not {type(value).__name__}")
    return value


def _source(given: Data, path: Data) -> Source:
    """Read `source`: a location, or a mapping with one; in it, `source_path` may stand as well."""
    named = {"location": given} if isinstance(given, str) else _mapping("resource_config.source", given)
    location = str(named.get("location") or "")
    if not location:
        raise NonRecoverableError("resource_config.source.location is empty: it says where the module is")
    return Source(
        location=location,
        path=str(path or named.get("source_path") or ""),
        username=str(named.get("username") or ""),
        password=str(named.get("password") or ""),
    )


def _flags(given: Sequence[Data], *, is_upgrading: bool) -> dict[str, list[str]]:
    """Sort `flags_override` by the commands that take them: a text each, or a mapping of one name to its value."""
    flags: dict[str, list[str]] = {"init": ["-upgrade"] if is_upgrading else []}
    for item in given:
        name, value = next(iter(item.items()), ("", "")) if isinstance(item, Mapping) else _halves(str(item))
        name = str(name).lstrip("-").replace("_", "-")
        commands = _FLAGS.get(name)
        if commands is None:
            raise NonRecoverableError(
                f"flags_override: -{name} is not passed on; known are {', '.join(sorted(_FLAGS))}. "
                "Values of variables belong into resource_config.variables"
            )
        for command in commands:
            flags.setdefault(command, []).append(f"-{name}" if value in ("", None) else f"-{name}={_word(value)}")
    return flags


def _halves(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _word(value: Data) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _refuse_companions(properties: Mapping[str, Data]) -> None:
    """Refuse what the node asks for and nobody does, rather than apply a module unchecked."""
    for name in ("tflint", "tfsec", "terratag", "infracost", "opa"):
        wanted = properties.get(f"{name}_config")
        if isinstance(wanted, Mapping) and wanted.get("enable"):
            raise NonRecoverableError(f"{name}_config.enable is set, and {name} is not run here yet: set it to false")
    if _mapping("resource_config", properties.get("resource_config")).get("store_output_secrets"):
        raise NonRecoverableError(
            "store_output_secrets is not there yet; sensitive outputs are sealed in the runtime property outputs"
        )
