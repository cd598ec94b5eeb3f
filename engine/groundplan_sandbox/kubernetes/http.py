"""The HTTPS side: bytes in, bytes out, one ASGI application for uvicorn, client certificates included.

What a request means is for `routes`. Errors of the API become Status objects here, and so does a bug of ours (500).
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from groundplan_sandbox.kubernetes.authentication import User, authenticate
from groundplan_sandbox.kubernetes.kinds import Object
from groundplan_sandbox.kubernetes.requests import Request, parse_query
from groundplan_sandbox.kubernetes.routes import HEALTH_PATHS, Reply, Routes
from groundplan_sandbox.kubernetes.status import ApiError

log = logging.getLogger(__name__)

LONGEST_BODY = 3 * 1024 * 1024
_ANONYMOUS = User(name="system:anonymous", groups=("system:unauthenticated",))


class CertifiedProtocol(H11Protocol):
    """HTTP/1.1 that hands the application the client's verified certificate, which ASGI has no field for."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio does this only for sockets made with an explicit protocol; without it each answer waits 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        certificate, application = transport.get_extra_info("peercert"), self.app

        async def certified(scope: Scope, receive: Receive, send: Send) -> None:
            await application({**scope, "client_certificate": certificate}, receive, send)

        self.app = certified


class Application:
    """ASGI: authenticate, answer, write."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writer = _Writer(send)
        try:
            if scope["path"] in HEALTH_PATHS:
                await writer.reply(Reply(body=b"ok", media_type="text/plain"))
                return
            request = await self._read(scope, receive)
            answer = self._routes.answer(request)
            if isinstance(answer, Reply):
                await writer.reply(answer, request.warnings)
            else:
                await writer.stream(answer, receive)
        except ApiError as error:
            await writer.reply(Reply(body=error.to_json(), code=error.code))
        except Exception as error:
            log.exception("the emulated Kubernetes API failed at %s %s", scope["method"], scope["path"])
            failure = ApiError(500, "InternalError", f"Internal error occurred: {type(error).__name__}")
            await writer.reply(Reply(body=failure.to_json(), code=500))

    async def _read(self, scope: Scope, receive: Receive) -> Request:
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        certificate: dict[str, Any] | None = scope.get("client_certificate")
        user = _ANONYMOUS
        if scope["path"] != "/version" or certificate or "authorization" in headers:
            user = authenticate(self._routes.tokens, headers.get("authorization", ""), certificate)
        return Request(
            method=scope["method"],
            path=scope["path"],
            query=parse_query(scope["query_string"].decode("latin-1")),
            headers=headers,
            body=await _body(receive),
            user=user,
        )


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message["body"])
        size += len(parts[-1])
        if size > LONGEST_BODY:
            text = f"Request entity too large: limit is {LONGEST_BODY}"
            raise ApiError(413, "RequestEntityTooLarge", text)
        if not message["more_body"]:
            return b"".join(parts)


class _Writer:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._started = False

    async def _start(self, code: int, media_type: str, *extra: tuple[bytes, bytes]) -> None:
        self._started = True
        headers = [(b"content-type", media_type.encode()), (b"cache-control", b"no-cache, private"), *extra]
        await self._send({"type": "http.response.start", "status": code, "headers": headers, "trailers": False})

    async def _write(self, body: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def reply(self, reply: Reply, warnings: Sequence[str] = ()) -> None:
        if self._started:
            await self._write(b"", more=False)
            return
        body = _encode(reply.body)
        length = (b"content-length", str(len(body)).encode())
        await self._start(reply.code, reply.media_type, length, *map(_warning, warnings))
        await self._write(body, more=False)

    async def stream(self, events: AsyncIterator[Object], receive: Receive) -> None:
        """One JSON document a line until the events end or the client leaves."""
        await self._start(200, "application/json")
        await self._write(b"", more=True)
        writing = asyncio.ensure_future(self._lines(events))
        leaving = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            writing.cancel()
            await asyncio.gather(writing, leaving, return_exceptions=True)
        await self._write(b"", more=False)

    async def _lines(self, events: AsyncIterator[Object]) -> None:
        async for event in events:
            await self._write(_encode(event), more=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _warning(text: str) -> tuple[bytes, bytes]:
    """A warning header as RFC 7234 (5.5) and Kubernetes write it."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return b"warning", f'299 - "{quoted}"'.encode("ascii", "replace")


def _encode(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
