"""Speaks the Language Server Protocol over standard input and output: requests in, answers of `workspace` out."""

import asyncio
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

from lsprotocol import types
from pygls import uris
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer

from groundplan.diagnostics.diagnostic import Diagnostic
from groundplan.lsp.completion import Item, Sort
from groundplan.lsp.home import Home
from groundplan.lsp.workspace import Refusal, Spot, Told, Workspace

QUIET_SECONDS: Final = 0.15
"""How long the keys must rest before the faults are looked for again."""

_ICONS: Final = {
    Sort.KEY: types.CompletionItemKind.Keyword,
    Sort.VALUE: types.CompletionItemKind.Value,
    Sort.TYPE: types.CompletionItemKind.Class,
    Sort.NODE: types.CompletionItemKind.Module,
    Sort.FUNCTION: types.CompletionItemKind.Function,
    Sort.PROPERTY: types.CompletionItemKind.Property,
    Sort.INPUT: types.CompletionItemKind.Variable,
}


def make_server(home: Home) -> LanguageServer:
    """Return a language server for blueprints, read against a home."""
    server = LanguageServer("groundplan", version("groundplan"))
    _Wiring(server, Workspace(home)).connect()
    return server


class _Wiring:
    """Connects the protocol's requests with the workspace."""

    def __init__(self, server: LanguageServer, workspace: Workspace) -> None:
        self._server = server
        self._workspace = workspace
        self._told: dict[Path, set[Path]] = {}

    def connect(self) -> None:
        """Register every feature; pygls marks what it is given, which a bound method does not allow."""
        feature = self._server.feature
        feature(types.TEXT_DOCUMENT_DID_OPEN)(partial(self.opened))
        feature(types.TEXT_DOCUMENT_DID_CHANGE)(partial(self.changed))
        feature(types.TEXT_DOCUMENT_DID_SAVE)(partial(self.saved))
        feature(types.TEXT_DOCUMENT_DID_CLOSE)(partial(self.closed))
        triggers = types.CompletionOptions(trigger_characters=["{", "[", " ", ":", "-"])
        feature(types.TEXT_DOCUMENT_COMPLETION, triggers)(partial(self.complete))
        feature(types.TEXT_DOCUMENT_HOVER)(partial(self.hover))
        feature(types.TEXT_DOCUMENT_DEFINITION)(partial(self.definition))
        feature(types.TEXT_DOCUMENT_REFERENCES)(partial(self.references))
        feature(types.TEXT_DOCUMENT_PREPARE_RENAME)(partial(self.prepare_rename))
        feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))(partial(self.rename))

    def opened(self, params: types.DidOpenTextDocumentParams) -> None:
        """Take a file that was opened."""
        self._take(params.text_document.uri)
        self._diagnose(params.text_document.uri)

    async def changed(self, params: types.DidChangeTextDocumentParams) -> None:
        """Take what was typed; look for faults when the keys rest."""
        uri, number = params.text_document.uri, params.text_document.version
        self._take(uri)
        await asyncio.sleep(QUIET_SECONDS)
        if self._server.workspace.get_text_document(uri).version == number:
            self._diagnose(uri)

    def saved(self, params: types.DidSaveTextDocumentParams) -> None:
        """Look for faults again: scripts and other files may have changed too."""
        self._diagnose(params.text_document.uri)

    def closed(self, params: types.DidCloseTextDocumentParams) -> None:
        """Forget a file's text and its faults."""
        path = _path(params.text_document.uri)
        self._workspace.drop(path)
        self._publish(path, [])

    def complete(self, params: types.CompletionParams) -> types.CompletionList:
        """Answer what may be written at a place."""
        items = self._workspace.complete(*self._place(params))
        order = len(str(len(items)))
        return types.CompletionList(
            is_incomplete=False, items=[_item(item, f"{index:0{order}}") for index, item in enumerate(items)]
        )

    def hover(self, params: types.HoverParams) -> types.Hover | None:
        """Answer what there is to tell about a place."""
        found = self._workspace.hover(*self._place(params))
        if found is None:
            return None
        content = types.MarkupContent(kind=types.MarkupKind.Markdown, value=found[0])
        return types.Hover(contents=content, range=self._range(found[1]))

    def definition(self, params: types.DefinitionParams) -> types.Location | None:
        """Answer where the name at a place is given."""
        found = self._workspace.definition(*self._place(params))
        return None if found is None else self._location(found)

    def references(self, params: types.ReferenceParams) -> list[types.Location]:
        """Answer where the name at a place is used."""
        return [self._location(found) for found in self._workspace.references(*self._place(params))]

    def prepare_rename(self, params: types.PrepareRenameParams) -> types.Range | None:
        """Answer whether the name at a place can be changed."""
        found = self._workspace.renamed(*self._place(params))
        return None if found is None else self._range(found)

    def rename(self, params: types.RenameParams) -> types.WorkspaceEdit:
        """Answer the edits that give a name a new form everywhere."""
        try:
            spots = self._workspace.rename(*self._place(params), params.new_name)
        except Refusal as refusal:
            raise JsonRpcInvalidParams(str(refusal)) from refusal
        changes: dict[str, list[types.TextEdit]] = {}
        for spot in spots:
            edit = types.TextEdit(range=self._range(spot), new_text=params.new_name)
            changes.setdefault(_uri(spot.path), []).append(edit)
        return types.WorkspaceEdit(changes=changes)

    def _take(self, uri: str) -> None:
        self._workspace.put(_path(uri), self._server.workspace.get_text_document(uri).source)

    def _diagnose(self, uri: str) -> None:
        path = _path(uri)
        told = self._workspace.diagnose(path)
        for silent in self._told.get(path, set()) - told.keys():
            self._publish(silent, [])
        for file, found in told.items():
            self._publish(file, found)
        self._told[path] = {file for file, found in told.items() if found}

    def _publish(self, path: Path, told: list[Told]) -> None:
        uri = _uri(path)
        document = self._server.workspace.text_documents.get(uri)
        self._server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(
                uri=uri,
                version=document.version if document is not None else None,
                diagnostics=[self._diagnostic(each) for each in told],
            )
        )

    def _diagnostic(self, told: Told) -> types.Diagnostic:
        found = told.diagnostic
        severity = types.DiagnosticSeverity.Error if found.is_error else types.DiagnosticSeverity.Warning
        related = [
            types.DiagnosticRelatedInformation(location=self._location(spot), message=label)
            for spot, label in told.related
        ]
        return types.Diagnostic(
            range=self._range(told.spot),
            message=_message(found),
            severity=severity,
            code=found.fault.code,
            source="groundplan",
            related_information=related or None,
        )

    def _place(
        self,
        params: types.CompletionParams
        | types.HoverParams
        | types.DefinitionParams
        | types.ReferenceParams
        | types.PrepareRenameParams
        | types.RenameParams,
    ) -> tuple[Path, int, int]:
        document = self._server.workspace.get_text_document(params.text_document.uri)
        place = document.position_from_client_units(params.position)
        return _path(params.text_document.uri), place.line, place.character

    def _location(self, spot: Spot) -> types.Location:
        return types.Location(uri=_uri(spot.path), range=self._range(spot))

    def _range(self, spot: Spot) -> types.Range:
        document = self._server.workspace.get_text_document(_uri(spot.path))
        codec, lines = document.position_codec, document.lines
        start, end = (
            codec.position_to_client_units(lines, types.Position(spot.line, column))
            for column in (spot.start, spot.end)
        )
        return types.Range(start, end)


def _message(found: Diagnostic) -> str:
    lines = [f"{found.fault.summary}: {found.label}" if found.label else found.fault.summary]
    lines += found.detail.splitlines()
    if found.suggestion:
        lines.append(f"Did you mean {found.suggestion!r}?")
    if found.fix:
        lines.append(f"Fix: {found.fix}")
    return "\n".join(lines)


def _item(item: Item, order: str) -> types.CompletionItem:
    told = types.MarkupContent(kind=types.MarkupKind.Markdown, value=item.documentation) if item.documentation else None
    return types.CompletionItem(
        label=item.label,
        kind=_ICONS[item.sort],
        detail=item.detail or None,
        documentation=told,
        insert_text=item.text or item.label,
        sort_text=order,
    )


def _path(uri: str) -> Path:
    found = uris.to_fs_path(uri)
    return Path(found if found is not None else uri).resolve()


def _uri(path: Path) -> str:
    return uris.from_fs_path(str(path)) or path.as_uri()
