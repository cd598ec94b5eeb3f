"""What the tests of the language share: compiling a text, and the codes and places of its faults."""

from dataclasses import dataclass, field
from textwrap import dedent

from groundplan.diagnostics.report import Report
from groundplan.dsl.compile import compile as compile_blueprint
from groundplan.dsl.folder import MemoryFolder, SourceFile
from groundplan.dsl.imports import FetchError, Text
from groundplan.model.blueprint import Blueprint


@dataclass
class Shelf:
    """A `Fetch` that serves texts from memory."""

    plugins: dict[str, str] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    blueprints: dict[str, dict[str, str]] = field(default_factory=dict)

    def plugin(self, name: str, specifiers: str) -> Text | None:
        text = self.plugins.get(name)
        return None if text is None else Text(f"plugin:{name}", text)

    def url(self, location: str) -> Text:
        if location not in self.urls:
            raise FetchError(f"{location} answered 404")
        return Text(location, self.urls[location])

    def blueprint(self, blueprint_id: str) -> SourceFile | None:
        files = self.blueprints.get(blueprint_id)
        return None if files is None else folder_of(files, f"blueprint:{blueprint_id}/")


SHELF = Shelf(
    plugins={
        "shelf": """
            plugins:
              shelf:
                executor: central_deployment_agent
                package_name: shelf
                properties: {colour: {type: string}}
            """
    },
    blueprints={name: {"blueprint.yaml": "tosca_definitions_version: cloudify_dsl_1_3\n"} for name in ("vpc", "other")},
)
"""What the blueprints under tests/corpus import."""


def folder_of(files: dict[str, str], label: str = "") -> SourceFile:
    """Return the file `blueprint.yaml` of a folder in memory."""
    content = {name: dedent(text).encode() for name, text in files.items()}
    return SourceFile(MemoryFolder(content, label), "blueprint.yaml")


def read(
    text: str, *, version: str = "1_3", fetch: Shelf | None = None, **files: str
) -> tuple[Blueprint | None, Report]:
    """Compile a text; the version's line is put before it unless the text has one.

    Args:
        files: further files, `_yaml` and `_sh` at the end of a name standing for the extension.
    """
    report = Report()
    text = dedent(text).lstrip("\n")
    if "tosca_definitions_version" not in text:
        text = f"tosca_definitions_version: cloudify_dsl_{version}\n{text}"
    others = {_path(name): content for name, content in files.items()}
    return compile_blueprint(folder_of({"blueprint.yaml": text, **others}), fetch or Shelf(), report), report


def blueprint(text: str, **options: object) -> Blueprint:
    """Compile a text that must be accepted without a warning."""
    found, report = read(text, **options)  # type: ignore[arg-type]
    assert codes(report) == []
    assert found is not None
    return found


def codes(report: Report) -> list[str]:
    """Return `code@line:column` of every fault, in order."""
    found = []
    for diagnostic in report.diagnostics:
        span = report.sources.span(diagnostic.at)
        place = f"@{span.line}:{span.column}" if span is not None else ""
        found.append(diagnostic.fault.code + place)
    return found


def faults(text: str, **options: object) -> list[str]:
    """Compile a text and return its faults as `codes` has them."""
    return codes(read(text, **options)[1])  # type: ignore[arg-type]


def _path(name: str) -> str:
    stem, _, extension = name.rpartition("_")
    return f"{stem}.{extension}"
