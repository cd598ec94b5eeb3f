"""One run of a cluster's server: a thread with an event loop that owns the store, the controllers, every connection.

Nothing in this package takes a lock because of it. `cluster` starts and stops runs.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn

from groundplan_sandbox.kubernetes.api import Api
from groundplan_sandbox.kubernetes.authentication import Tokens
from groundplan_sandbox.kubernetes.bootstrap import populate
from groundplan_sandbox.kubernetes.controllers import all_controllers
from groundplan_sandbox.kubernetes.controllers.queue import WorkQueue
from groundplan_sandbox.kubernetes.http import Application, CertifiedProtocol
from groundplan_sandbox.kubernetes.routes import Routes
from groundplan_sandbox.kubernetes.store import Change, Store

SAVE_DELAY = 0.5
START_TIMEOUT = 20.0


async def _hang_up(server: uvicorn.Server) -> None:
    """Let answers under way end, then drop connections: a client that idles would not answer the TLS farewell."""
    if server.server_state.tasks:
        await asyncio.wait(server.server_state.tasks, timeout=1)
    for connection in list(server.server_state.connections):
        if isinstance(connection, CertifiedProtocol):
            connection.transport.abort()


class Serving:
    """One run of a cluster: the thread, from bind to save."""

    def __init__(
        self,
        *,
        state: Path,
        tokens: Tokens,
        authority: Path,
        sockets: list[socket.socket],
        context: ssl.SSLContext,
        address: str,
        own_node: bool,
    ) -> None:
        """state: where objects are kept. authority: the CA's certificate. address: that of the node.

        own_node: whether there is one.
        """
        self._address = address
        self._own_node = own_node
        self._state = state
        self._tokens = tokens
        self._sockets = sockets
        self._context = context
        self._authority = authority.read_text(encoding="ascii")
        self._store = Store()
        if state.exists():
            self._store.load(state)
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="kubernetes-api", daemon=True)
        self._save_planned = False

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()
        if not self._started.wait(START_TIMEOUT):
            raise TimeoutError("the emulated Kubernetes API did not start")
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End the run. Raises what ended it badly, such as OSError when the objects could not be saved."""
        if self.alive:
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def call(self, change: Callable[[Api], None]) -> None:
        """Make a change on the server's own thread; returns when it is made. Raises ApiError."""

        async def make() -> None:
            change(self._api)

        asyncio.run_coroutine_threadsafe(make(), self._loop).result(START_TIMEOUT)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        port = self._sockets[0].getsockname()[1]
        self._api = api = Api(store=self._store)
        controllers = WorkQueue(api, all_controllers(api, self._tokens, self._address, self._authority))
        populate(api, self._address, port, own_node=self._own_node)
        controllers.start()
        forget = self._store.listen(self._plan_save)
        routes = Routes(api=api, tokens=self._tokens, address=f"{self._address}:{port}", closing=self._closing)
        await self._listen(Application(routes))
        controllers.stop()
        forget()
        self._store.save(self._state)

    async def _listen(self, application: Application) -> None:
        config = uvicorn.Config(
            application,
            http=CertifiedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_keep_alive=120,
            timeout_graceful_shutdown=1,
            ssl_context_factory=lambda _config, _default: self._context,
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=self._sockets)
        self._started.set()
        await self._closing.wait()
        await _hang_up(server)
        await server.shutdown(sockets=self._sockets)

    def _plan_save(self, _change: Change) -> None:
        """Write soon after a change, so that a killed sandbox loses half a second and not the cluster."""
        if not self._save_planned:
            self._save_planned = True
            self._loop.call_later(SAVE_DELAY, self._save)

    def _save(self) -> None:
        self._save_planned = False
        self._store.save(self._state)
