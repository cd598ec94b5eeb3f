"""How the sandbox's commands talk to the running sandbox: one JSON line each way over loopback TCP.

The token in sandbox.json (mode 0600) keeps other users of the machine out. A Unix socket would do the same but for its
107-byte path, shorter than many home folders.
"""

import hmac
import json
import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from typing import Any, cast

from groundplan_sandbox.binding import Control

LONGEST_LINE = 1 << 20
POLL = 0.1
"""Seconds between looks whether to stop."""
log = logging.getLogger(__name__)

Order = Callable[..., dict[str, Any]]
"""Called with the arguments of the order, by name."""


class ControlError(Exception):
    """The running sandbox did not carry out an order, or did not answer."""


class ControlServer:
    """Carries out `orders`, by name, for whoever shows `token`."""

    def __init__(self, token: str, orders: Mapping[str, Order]) -> None:
        self._server = _Server(("127.0.0.1", 0), _Conversation)
        self._server.token, self._server.orders = token, orders
        threading.Thread(target=self._server.serve_forever, args=(POLL,), name="control", daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def ask(control: Control, order: str, *, timeout: float, **arguments: Any) -> dict[str, Any]:
    """Have `order` carried out with `arguments` (JSON); gives its answer. `timeout` in seconds. Raises ControlError."""
    try:
        with socket.create_connection(("127.0.0.1", control.port), timeout=timeout) as connection:
            connection.sendall(
                json.dumps({"token": control.token, "order": order, "arguments": arguments}).encode() + b"\n"
            )
            answer = json.loads(connection.makefile("rb").readline(LONGEST_LINE))
    except (OSError, ValueError) as error:
        raise ControlError(f"the sandbox does not answer: {error}") from error
    if "error" in answer:
        raise ControlError(answer["error"])
    return cast(dict[str, Any], answer["answer"])


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    token: str
    orders: Mapping[str, Order]


class _Conversation(socketserver.StreamRequestHandler):
    timeout = 5

    def handle(self) -> None:
        server = cast(_Server, self.server)
        try:
            asked = json.loads(self.rfile.readline(LONGEST_LINE))
            token, order = str(asked["token"]), server.orders.get(asked["order"])
            arguments = dict(asked.get("arguments") or {})
        except (OSError, ValueError, KeyError, TypeError):
            return
        if not hmac.compare_digest(token.encode(), server.token.encode()):
            return
        self.wfile.write(json.dumps(_carry_out(order, arguments)).encode() + b"\n")


def _carry_out(order: Order | None, arguments: dict[str, Any]) -> dict[str, Any]:
    if order is None:
        return {"error": "this sandbox does not know that order; it may be of another version"}
    try:
        return {"answer": order(**arguments)}
    except Exception as error:
        log.exception("an order failed")
        return {"error": f"{type(error).__name__}: {error}"}
