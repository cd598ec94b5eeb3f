"""A request as the API understands it: its path, its query and its body, parsed and typed.

Paths follow "API Concepts" of Kubernetes: /api/v1/... for the core group, /apis/GROUP/VERSION/... for the others.
`http` receives the bytes, `routes` answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import yaml

from groundplan_sandbox.kubernetes.api import Options
from groundplan_sandbox.kubernetes.authentication import User
from groundplan_sandbox.kubernetes.bodies import FieldValidation
from groundplan_sandbox.kubernetes.catalogue import Catalogue
from groundplan_sandbox.kubernetes.kinds import Kind
from groundplan_sandbox.kubernetes.protobuf import decode
from groundplan_sandbox.kubernetes.status import bad_request


@dataclass(frozen=True, kw_only=True)
class Target:
    """namespace is None for a collection over all namespaces; name and subresource are "" when not in the path."""

    kind: Kind
    namespace: str | None
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    user: User
    warnings: list[str] = field(default_factory=list)

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "application/json").partition(";")[0].strip().lower()

    @property
    def accept(self) -> str:
        return self.headers.get("accept", "*/*")

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("true", "1", "t")

    def number(self, name: str, default: int = 0) -> int:
        text = self.query.get(name, "")
        if text and not text.isdigit():
            raise bad_request(f"{name} is not a whole number: {text!r}")
        return int(text) if text else default

    def document(self) -> Any:
        """The body's JSON, YAML or protobuf value. Raises ApiError 400 when it is none, 415 as `protobuf` says."""
        if self.media_type == "application/vnd.kubernetes.protobuf":
            return decode(self.body)
        try:
            return json.loads(self.body)
        except ValueError as error:
            if "yaml" not in self.media_type:
                raise bad_request(f"the object provided is unrecognized: {error}") from error
        except RecursionError as error:
            raise bad_request("the object provided is nested too deeply") from error
        try:
            return yaml.safe_load(self.body)
        except (yaml.YAMLError, RecursionError) as error:
            raise bad_request("error decoding YAML") from error

    def options(self, subresource: str = "") -> Options:
        """The write options that the query carries. Raises ApiError 400 for a value it may not have."""
        if self.query.get("dryRun", "All") != "All":
            raise bad_request(f"Invalid value: {self.query['dryRun']!r}: dryRun must be All")
        wanted = self.query.get("fieldValidation") or FieldValidation.WARN
        if wanted not in (FieldValidation.STRICT, FieldValidation.WARN, FieldValidation.IGNORE):
            raise bad_request(f"Invalid value: {wanted!r}: fieldValidation must be Ignore, Warn or Strict")
        agent = self.headers.get("user-agent", "unknown").partition("/")[0]
        return Options(
            manager=self.query.get("fieldManager") or agent,
            subresource=subresource,
            dry_run="dryRun" in self.query,
            force=self.flag("force"),
            field_validation=FieldValidation(wanted),
            warn=self.warnings.append,
        )


def parse_query(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True))


def parse_path(path: str, kinds: Catalogue) -> Target | None:
    """What a path names, or None when no kind is served there."""
    match [part for part in path.split("/") if part]:
        case ["api", version, *rest]:
            return _target(kinds, "", version, rest)
        case ["apis", group, version, *rest]:
            return _target(kinds, group, version, rest)
        case _:
            return None


def _target(kinds: Catalogue, group: str, version: str, rest: list[str]) -> Target | None:
    namespace: str | None = None
    if len(rest) > 2 and rest[0] == "namespaces" and kinds.at(group, version, rest[2]) is not None:
        namespace, rest = rest[1], rest[2:]
    if not rest or len(rest) > 3:
        return None
    kind = kinds.at(group, version, rest[0])
    if kind is None or (namespace is not None and not kind.namespaced):
        return None
    name, subresource = (*rest[1:], "", "")[:2]
    if subresource and subresource not in kind.subresources:
        return None
    if kind.namespaced and name and namespace is None:
        return None
    return Target(kind=kind, namespace=namespace if kind.namespaced else "", name=name, subresource=subresource)
