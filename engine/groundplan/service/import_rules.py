"""Rules by which the addresses of imports lead elsewhere (spec 1.4, resolver rewrite rules).

They are the user's word, never a blueprint's: so what a rule leads to may lie on this machine, in a folder or on a
server of loopback, where `download` lets no blueprint go. Resolver classes of the incumbent are not run.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from groundplan.diagnostics.render import render
from groundplan.diagnostics.report import Report
from groundplan.diagnostics.trouble import UsageError
from groundplan.dsl.folder import DiskFolder, Outside
from groundplan.dsl.imports import FetchError, Text
from groundplan.dsl.reader import read_data
from groundplan.service.download import download

RULES_VARIABLE: Final = "GROUNDPLAN_IMPORT_RULES"
_FILE: Final = "file://"
_FROM: Final = re.compile(r"(?:https?|ftp)://[^/\s]+")
_TO: Final = re.compile(r"(?:https?://[^/\s]+|file:///)")
_PORTS: Final = {"http": 80, "https": 443}
_FORM: Final = (
    "write a list of rules, each one address and what stands for it: - {https://types.example: file:///srv/types}."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportRule:
    """Addresses that begin with `prefix` are looked for where `replacement` stands in its place."""

    prefix: str
    replacement: str

    def read(self, location: str, *, offline: bool) -> Text:
        """Return the text that an address means by this rule. Raises `FetchError`."""
        rest = location.removeprefix(self.prefix)
        if self.replacement.startswith(_FILE):
            return self._read_file(rest)
        if offline:
            raise FetchError("this home is bound to the sandbox, where nothing is fetched")
        own = urlsplit(self.replacement)
        trusted = (own.hostname or "", own.port or _PORTS[own.scheme])
        return Text(self.replacement + rest, download(self.replacement + rest, trusted))

    def _read_file(self, rest: str) -> Text:
        begin = unquote(self.replacement.removeprefix(_FILE))
        whole, folder = begin + unquote(rest), Path(begin)
        if not (rest.startswith("/") or self.replacement.endswith("/")):
            folder = folder.parent
        if not normpath(whole).startswith(normpath(begin)):
            # The rule may name the beginning of a name: what else stands beside it is not meant.
            raise FetchError(f"{whole} leads out of {begin}")
        try:
            content = DiskFolder(folder).read(whole.removeprefix(str(folder)).lstrip("/"))
        except Outside:
            raise FetchError(f"{whole} leads out of {folder}") from None
        if content is None:
            raise FetchError(f"there is no readable file {whole}")
        return Text(whole, content.decode("utf-8", errors="replace"))


def read_rules(environment: Mapping[str, str]) -> tuple[ImportRule, ...]:
    """Return the rules of the file that the environment names, in order; none where it names none.

    The file is YAML: a list of mappings of one entry, alone or where a configuration of the incumbent has it, under
    `import_resolver.parameters.rules`.

    Raises:
        UsageError: the file cannot be read, or holds something else.
    """
    name = environment.get(RULES_VARIABLE, "")
    if not name:
        return ()
    try:
        text = Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"The import rules {name} ({RULES_VARIABLE}) cannot be read: {reason}.") from error
    report = Report()
    data = read_data(text, name, report)
    if report.has_errors:
        raise UsageError(f"The import rules {name} ({RULES_VARIABLE}) are no YAML.\n{render(report)}")
    return tuple(_rules(_listed(data, name), name))


def _listed(data: Any, name: str) -> Iterable[Any]:
    if isinstance(data, dict) and "import_resolver" in data:
        data = data["import_resolver"]
        if isinstance(data, dict) and "implementation" in data:
            raise UsageError(f"{name} names a resolver class, which is not run.", fix="write its rules only.")
    for key in ("parameters", "rules"):
        if isinstance(data, dict) and key in data:
            data = data[key]
    if not isinstance(data, list):
        raise UsageError(f"{name} holds no list of import rules.", fix=_FORM)
    return data


def _rules(listed: Iterable[Any], name: str) -> Iterator[ImportRule]:
    for number, item in enumerate(listed, 1):
        pair = next(iter(item.items())) if isinstance(item, dict) and len(item) == 1 else (None, None)
        prefix, replacement = pair
        if not isinstance(prefix, str) or not isinstance(replacement, str):
            raise UsageError(f"Import rule {number} in {name} is not one address and what stands for it.", fix=_FORM)
        if not _FROM.match(prefix) or not _TO.match(replacement):
            raise UsageError(
                f"Import rule {number} in {name} leads from {prefix!r} to {replacement!r}: rules lead from http, https "
                "and ftp addresses to http, https and file:/// ones.",
                fix=_FORM,
            )
        yield ImportRule(prefix=prefix, replacement=replacement)
