"""The control socket of a machine: what its small programs ask of the sandbox, one request a connection.

A request is one line of JSON, `{"op": NAME, ...}`; the answer one line, `{"code": EXIT_CODE, "out": TEXT, "err": TEXT,
...}`. An operation that lasts as long as the program runs (`minio server`) ends when the program's connection does.
"""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

logger = logging.getLogger(__name__)

_REQUEST_BYTES = 1 << 20
Request = Mapping[str, Any]
Answer = dict[str, Any]
Operation = Callable[[Request], Awaitable[Answer]]
Release = Callable[[], Awaitable[None]]
Holding = Callable[[Request], Awaitable[tuple[Answer, Release]]]


class ControlServer:
    """Answers a machine's programs: `operations` at once, `holdings` for as long as the program lives."""

    def __init__(self, operations: Mapping[str, Operation], holdings: Mapping[str, Holding]) -> None:
        self._operations = operations
        self._holdings = holdings
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()

    async def start(self, listener: socket.socket) -> None:
        """Serve on the machine's listener, which is the server's from now on."""
        self._server = await asyncio.start_unix_server(self._accepted, sock=listener, limit=_REQUEST_BYTES)

    async def close(self) -> None:
        """Stop serving; whatever is held is released."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._conversations):
            task.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            try:
                await self._answer(json.loads(await reader.readline()), reader, writer)
            except (ValueError, KeyError) as error:
                await _reply(writer, {"code": 2, "err": f"not a request: {error}"})
            except Exception:
                logger.exception("a machine's request failed")
                await _reply(writer, {"code": 70, "err": "the sandbox failed; its log says why"})
            finally:
                writer.close()

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        holding = self._holdings.get(request["op"])
        if holding is None:
            await _reply(writer, await self._operations[request["op"]](request))
            return
        answer, release = await holding(request)
        try:
            await _reply(writer, answer)
            while await reader.read(_REQUEST_BYTES):
                continue
        finally:
            await asyncio.shield(release())


async def _reply(writer: asyncio.StreamWriter, answer: Answer) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")
    await writer.drain()
