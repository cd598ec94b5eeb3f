"""The language server through a real client: the application's blueprint is open, and every question has its answer."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient

ROOT = Path(__file__).parents[2]
APP = ROOT / "blueprints" / "app" / "blueprint.yaml"
URI = APP.as_uri()
LINES = APP.read_text(encoding="utf-8").splitlines()
DIAGNOSTICS = "textDocument/publishDiagnostics"


@pytest_lsp.fixture(
    scope="module",
    config=ClientServerConfig(
        server_command=[str(Path(sys.executable).with_name("groundplan")), "lsp"], server_env=dict(os.environ)
    ),
)
async def client(lsp_client: LanguageClient) -> AsyncIterator[None]:
    await lsp_client.initialize_session(
        types.InitializeParams(
            capabilities=pytest_lsp.client_capabilities("visual-studio-code"), root_uri=ROOT.as_uri()
        )
    )
    yield
    await lsp_client.shutdown_session()


pytestmark = pytest.mark.asyncio(loop_scope="module")


class Buffer:
    """A file in the editor; each change is one version."""

    def __init__(self, client: LanguageClient, uri: str) -> None:
        self.client, self.uri, self.version = client, uri, 1

    async def open(self, text: str) -> list[types.Diagnostic]:
        self.client.diagnostics.pop(self.uri, None)
        document = types.TextDocumentItem(uri=self.uri, language_id="yaml", version=1, text=text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=document))
        return await self.faults()

    async def write(self, text: str) -> list[types.Diagnostic]:
        self.version += 1
        self.client.diagnostics.pop(self.uri, None)
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                text_document=types.VersionedTextDocumentIdentifier(uri=self.uri, version=self.version),
                content_changes=[types.TextDocumentContentChangeWholeDocument(text=text)],
            )
        )
        return await self.faults()

    async def faults(self) -> list[types.Diagnostic]:
        """Wait for the faults of the file and return them."""
        while self.uri not in self.client.diagnostics:
            await self.client.wait_for_notification(DIAGNOSTICS)
        return list(self.client.diagnostics[self.uri])

    async def close(self) -> None:
        self.client.diagnostics.pop(self.uri, None)
        document = types.TextDocumentIdentifier(uri=self.uri)
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(text_document=document))
        assert await self.faults() == []


@pytest_asyncio.fixture(loop_scope="module")
async def app(client: LanguageClient) -> AsyncIterator[Buffer]:
    buffer = Buffer(client, URI)
    await buffer.open("\n".join(LINES))
    yield buffer
    await buffer.close()


def at(text: str, part: str, *, after: int = 0) -> types.Position:
    """Return the place of a part of the first line that holds a text."""
    row = next(number for number, line in enumerate(LINES) if text in line)
    return types.Position(row, LINES[row].index(part) + after)


def document() -> types.TextDocumentIdentifier:
    return types.TextDocumentIdentifier(uri=URI)


def told(found: list[types.Diagnostic]) -> list[tuple[str | int | None, int]]:
    return [(each.code, each.range.start.line) for each in found]


async def labels(buffer: Buffer, text: str, line: int) -> list[str]:
    """Return what is offered at the end of a line of a new text."""
    await buffer.write(text)
    found = await buffer.client.text_document_completion_async(
        types.CompletionParams(
            text_document=types.TextDocumentIdentifier(uri=buffer.uri),
            position=types.Position(line, len(text.splitlines()[line])),
        )
    )
    assert isinstance(found, types.CompletionList)
    return [item.label for item in found.items]


def typed(*lines: str) -> tuple[str, int]:
    """Return the application's text with lines put after its imports, and the number of the last of them."""
    row = next(number for number, line in enumerate(LINES) if line.startswith("node_templates:"))
    return "\n".join([*LINES[: row + 1], *lines, *LINES[row + 1 :]]), row + len(lines)


async def test_the_application_has_no_faults(client: LanguageClient) -> None:
    buffer = Buffer(client, URI)
    assert await buffer.open("\n".join(LINES)) == []
    await buffer.close()


async def test_faults_come_and_go_as_one_types(app: Buffer) -> None:
    wrong = "\n".join(LINES).replace("target: network", "target: netwrk", 1)
    found = await app.write(wrong)
    line = wrong.splitlines().index("        target: netwrk")
    assert told(found) == [("target-unknown", line)]
    assert found[0].range.start.character == len("        target: ")
    assert "Did you mean 'network'?" in found[0].message
    assert await app.write("\n".join(LINES)) == []


async def test_text_that_is_no_yaml_is_a_fault_at_its_place(app: Buffer) -> None:
    assert told(await app.write("\n".join([*LINES, "]"])))[0][0] == "yaml-syntax"


async def test_types_are_offered(app: Buffer) -> None:
    found = await labels(app, *typed("  more:", "    type: "))
    assert {"cloudify.nodes.Compute", "cloudify.kubernetes.resources.Deployment"} <= set(found)
    assert "cloudify.relationships.depends_on" not in found


async def test_the_properties_of_the_type_are_offered_but_those_given(app: Buffer) -> None:
    lines = ("  more:", "    type: cloudify.nodes.WebServer", "    properties:", "      port: 1", "      ")
    found = await labels(app, *typed(*lines))
    assert "resource_id" in found
    assert "port" not in found


async def test_keys_are_offered(app: Buffer) -> None:
    found = await labels(app, *typed("  more:", "    type: cloudify.nodes.Root", "    "))
    assert found == ["properties", "interfaces", "relationships", "instances", "capabilities"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("        ip: { get_input: ", {"cloud_type", "env_type"}),
        ("        ip: { get_attribute: [", {"kubernetes", "SELF"}),
        ("        ip: { get_attribute: [kubernetes, ", {"capabilities"}),
        ("        ip: { get_", {"get_input", "get_capability", "concat"}),
        ("        use_external_resource: ", {"true", "false"}),
    ],
)
async def test_functions_and_their_arguments_are_offered(app: Buffer, line: str, expected: set[str]) -> None:
    text, row = typed("  more:", "    type: cloudify.nodes.Compute", "    properties:", line)
    assert expected <= set(await labels(app, text, row))


async def test_targets_are_offered_but_oneself(app: Buffer) -> None:
    lines = ("  more:", "    type: cloudify.nodes.Root", "    relationships:", "      - type: x", "        target: ")
    found = await labels(app, *typed(*lines))
    assert "database" in found
    assert "more" not in found


async def test_a_type_is_explained(app: Buffer) -> None:
    place = at("type: cloudify.nodes.ServiceComponent", "ServiceComponent")
    found = await app.client.text_document_hover_async(types.HoverParams(document(), place))
    assert found is not None
    assert isinstance(found.contents, types.MarkupContent)
    assert "cloudify.nodes.Component" in found.contents.value
    assert "resource_config" in found.contents.value


@pytest.mark.parametrize(
    ("line", "part", "words"),
    [
        ("get_input: cloud_type", "cloud_type", "The cloud to use."),
        ("get_secret: [", "get_secret", "text of a secret"),
        ("get_attribute: [kubernetes", "kubernetes", "node template **kubernetes**"),
        ("      client_config: &", "client_config", "client_config"),
        ("    constraints:", "constraints", "of an input: a list"),
    ],
)
async def test_names_functions_and_keys_are_explained(app: Buffer, line: str, part: str, words: str) -> None:
    found = await app.client.text_document_hover_async(types.HoverParams(document(), at(line, part)))
    assert found is not None
    assert isinstance(found.contents, types.MarkupContent)
    assert words in found.contents.value


async def defined(app: Buffer, line: str, part: str) -> tuple[str, int]:
    found = await app.client.text_document_definition_async(types.DefinitionParams(document(), at(line, part)))
    assert isinstance(found, types.Location)
    return found.uri, found.range.start.line


async def test_names_lead_to_where_they_are_given(app: Buffer) -> None:
    assert await defined(app, "get_input: env_type", "env_type") == (URI, LINES.index("  env_type:"))
    assert await defined(app, "get_attribute: [database", "database") == (URI, LINES.index("  database:"))
    assert await defined(app, "target: kubernetes", "kubernetes") == (URI, LINES.index("  kubernetes:"))


async def test_types_and_imports_lead_to_other_files(app: Buffer) -> None:
    uri, line = await defined(app, "type: cloudify.nodes.ServiceComponent", "cloudify")
    text = Path(uri.removeprefix("file://")).read_text().splitlines()
    assert text[line].strip() == "cloudify.nodes.ServiceComponent:"
    assert (await defined(app, "plugin:cloudify-kubernetes-plugin", "plugin"))[0].endswith("kubernetes/plugin.yaml")
    uri, line = await defined(app, "type: cloudify.kubernetes.resources.Service", "cloudify")
    assert uri.endswith("kubernetes/plugin.yaml")


async def renamed(app: Buffer, line: str, part: str, new: str) -> str:
    found = await app.client.text_document_rename_async(types.RenameParams(document(), at(line, part), new))
    assert found is not None
    assert found.changes is not None
    assert set(found.changes) == {URI}
    lines = list(LINES)
    for edit in sorted(found.changes[URI], key=lambda each: -each.range.start.character):
        row, start, end = edit.range.start.line, edit.range.start.character, edit.range.end.character
        lines[row] = lines[row][:start] + edit.new_text + lines[row][end:]
    return "\n".join(lines)


async def test_a_node_template_is_renamed_wherever_it_is_named(app: Buffer) -> None:
    expected = "\n".join(LINES)
    for form in ("  {}:\n", "target: {}\n", "[{}, "):
        expected = expected.replace(form.format("kubernetes"), form.format("cluster"))
    assert await renamed(app, "target: kubernetes", "kubernetes", "cluster") == expected
    assert await renamed(app, "get_attribute: [kubernetes", "kubernetes", "cluster") == expected
    assert await app.write(expected) == []


async def test_a_taken_name_is_refused(app: Buffer) -> None:
    with pytest.raises(Exception, match="already"):
        await renamed(app, "target: kubernetes", "kubernetes", "database")


async def test_an_imported_file_is_read_as_part_of_the_blueprint(client: LanguageClient, tmp_path: Path) -> None:
    main, part = tmp_path / "blueprint.yaml", tmp_path / "part.yaml"
    main.write_text("tosca_definitions_version: cloudify_dsl_1_3\nimports: [cloudify/types/types.yaml, part.yaml]\n")
    part.write_text("node_templates:\n  a: {type: cloudify.nodes.Root}\n")
    buffer = Buffer(client, main.as_uri())
    assert await buffer.open(main.read_text()) == []
    inner = Buffer(client, part.as_uri())
    await inner.open(part.read_text())
    assert told(await inner.write(part.read_text().replace("Root", "Roo"))) == [("node-type-unknown", 1)]
    await inner.close()
    await buffer.close()
