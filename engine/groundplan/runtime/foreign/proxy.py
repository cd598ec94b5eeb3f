"""The ctx proxy: one attempt's commands over HTTP, on loopback, behind a token (spec 7.4).

Two ways to ask: a JSON body `{"args": [...]}` answered by `{"type", "payload"}`, and, for clients without a JSON
reader, a form (`a=ARG&a=ARG`) answered by the text to print. What a command means is `commands`' knowledge.
"""

import base64
import hmac
import http.server
import json
import secrets
import socket
import socketserver
import threading
import urllib.parse
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Self

from groundplan.model.values import Data
from groundplan.runtime.foreign import programs
from groundplan.runtime.foreign.commands import ContextCommands, Reply, ReplyType
from groundplan.runtime.foreign.journal import Form, read_journal
from groundplan.sdk.context import OperationContext, ScriptAnswer

_LOOPBACK: Final = "127.0.0.1"
_BODY_LIMIT: Final = 16 * 2**20
_SOCKET_SECONDS: Final = 30.0
_STATUS: Final = {
    ReplyType.RESULT: HTTPStatus.OK,
    ReplyType.FILE: HTTPStatus.OK,
    ReplyType.ERROR: HTTPStatus.BAD_REQUEST,
    ReplyType.STOP: HTTPStatus.CONFLICT,
}


class HttpContextProxy:
    """Serves an attempt's context from entering the block to leaving it; the token (128 bits) dies with it."""

    def __init__(self, ctx: OperationContext) -> None:
        self._commands = ContextCommands(ctx)
        self._path = f"/{secrets.token_urlsafe(16)}"
        self._server = _Server((_LOOPBACK, 0), _Handler)
        self._server.commands = self._commands
        self._server.token_path = self._path
        self._thread = threading.Thread(target=self._server.serve_until_closed, name="ctx-proxy", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{_LOOPBACK}:{self.port}{self._path}"

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def path(self) -> str:
        return self._path

    @property
    def client(self) -> str:
        return programs.client()

    @property
    def modules(self) -> Mapping[str, str]:
        return programs.modules()

    @property
    def answer(self) -> ScriptAnswer:
        return self._commands.answer

    def replay(self, said: str) -> bool:
        calls = read_journal(said)
        for call in calls or ():
            self._commands.run(call)
        return calls is not None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._commands.close()
        self._server.closing = True
        with suppress(OSError), socket.create_connection((_LOOPBACK, self.port), timeout=1):
            pass  # wakes the accepting thread
        self._thread.join()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    # Not http.server's own class: that one asks the name service for the name of the address.
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    commands: ContextCommands
    token_path: str
    closing = False

    def serve_until_closed(self) -> None:
        while not self.closing:
            self.handle_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is its own trouble."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    status: HTTPStatus
    body: bytes
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    timeout = _SOCKET_SECONDS

    def do_POST(self) -> None:
        if not hmac.compare_digest(self.path.encode(), self.server.token_path.encode()):
            self._send(_text(HTTPStatus.NOT_FOUND, "there is no such ctx"))
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _BODY_LIMIT:
            self._send(_text(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the limit of a ctx call is {_BODY_LIMIT} bytes"))
            return
        body = self.rfile.read(int(length))
        # The body tells the two apart: clients of other makers send JSON under the content type of a form.
        is_json = body.lstrip()[:1] in (b"{", b"[")
        self._send(_answer_json(self.server.commands, body) if is_json else _answer_form(self.server.commands, body))

    def _send(self, answer: _Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Paths hold the token: nothing is logged."""


def _answer_json(commands: ContextCommands, body: bytes) -> _Answer:
    try:
        arguments = json.loads(body)["args"]
        if not isinstance(arguments, list):
            raise TypeError("args is not a list")
    except (ValueError, TypeError, KeyError) as error:
        return _text(HTTPStatus.BAD_REQUEST, f"expected a body like {{'args': [...]}}: {error}")
    reply = commands.run(arguments)
    written: dict[str, Data] = {"type": reply.type, "payload": reply.payload}
    if reply.type is ReplyType.FILE:
        content = base64.b64encode(reply.content).decode()
        written["payload"] = {"name": reply.name, "target": reply.target, "content": content}
    # Always 200: the type says how it went, and clients of other makers expect that.
    return _Answer(status=HTTPStatus.OK, body=json.dumps(written).encode(), content_type="application/json")


def _answer_form(commands: ContextCommands, body: bytes) -> _Answer:
    try:
        form = Form.from_text(body.decode("ascii"))
    except ValueError as error:
        return _text(HTTPStatus.BAD_REQUEST, f"an argument cannot be read: {error}")
    reply = commands.run(form.arguments)
    if reply.type is ReplyType.FILE:
        return _file(reply)
    wants_json = reply.type is ReplyType.RESULT and form.wants_json
    return _text(_STATUS[reply.type], json.dumps(reply.payload) if wants_json else _shown(reply.payload))


def _shown(payload: Data) -> str:
    """Return what a shell script sees: nothing for null, false, 0 and the empty (spec 7.4)."""
    return str(payload) if payload else ""


def _text(status: HTTPStatus, text: str) -> _Answer:
    return _Answer(status=status, body=text.encode(), content_type="text/plain; charset=utf-8")


def _file(reply: Reply) -> _Answer:
    headers = (("X-Ctx-Name", urllib.parse.quote(reply.name)), ("X-Ctx-Target", urllib.parse.quote(reply.target)))
    return _Answer(status=HTTPStatus.OK, body=reply.content, content_type="application/octet-stream", headers=headers)
