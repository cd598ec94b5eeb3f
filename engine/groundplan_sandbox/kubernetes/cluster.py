"""One emulated cluster: its folder, its thread, its server. The door for the rest of the sandbox.

Start and stop are synchronous; behind them one event loop in one thread owns the store, the controllers and every
connection, so nothing in this package takes a lock.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import shutil
import socket
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvicorn

from groundplan_sandbox.kubernetes.api import Api
from groundplan_sandbox.kubernetes.authentication import Tokens
from groundplan_sandbox.kubernetes.bootstrap import populate
from groundplan_sandbox.kubernetes.certificates import Authority, KeyPair
from groundplan_sandbox.kubernetes.controllers import all_controllers
from groundplan_sandbox.kubernetes.controllers.queue import WorkQueue
from groundplan_sandbox.kubernetes.http import Application, CertifiedProtocol
from groundplan_sandbox.kubernetes.routes import Routes
from groundplan_sandbox.kubernetes.store import Change, Store

ADMIN = "admin"
SAVE_DELAY = 0.5
START_TIMEOUT = 20.0


class KubernetesCluster:
    """An emulated cluster named `name`; what it must remember between start and stop lies in `folder`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._authority = Authority(folder, name)
        self._tokens = Tokens(folder / "tokens.json")
        self._serving: _Serving | None = None

    @property
    def running(self) -> bool:
        return self._serving is not None and self._serving.alive

    def start(self, listen: Sequence[tuple[str, int]], certificate_names: Sequence[str]) -> list[tuple[str, int]]:
        """Serve on every (address, port); port 0 takes a free one. Returns the addresses bound.

        The certificate names the addresses, `certificate_names` and localhost. Objects of an earlier run are there
        again. Raises OSError when an address cannot be bound, ValueError when the saved state cannot be read or an
        address is not a loopback address, RuntimeError when it is running already.
        """
        if self.running:
            raise RuntimeError(f"cluster {self.name} is running")
        for address, _ in listen:
            if not ipaddress.ip_address(address).is_loopback:
                raise ValueError(f"the sandbox serves on loopback addresses only, not on {address}")
        sockets = _bind(listen)
        try:
            names = [*(address for address, _ in listen), *certificate_names, "localhost", "10.96.0.1"]
            pair = self._authority.issue_server([*names, "kubernetes", "kubernetes.default.svc"])
            context = _tls(pair, self._authority.certificate)
            self._serving = _Serving(self._state, self._tokens, self._authority.certificate, sockets, context)
            self._serving.start()
        except BaseException:
            self._serving = None
            for each in sockets:
                each.close()
            raise
        return [each.getsockname()[:2] for each in sockets]

    def stop(self) -> None:
        """Save the objects and stop serving; every watch ends. Does nothing when it is not running."""
        if self._serving is not None:
            self._serving.stop()
            self._serving = None

    def delete(self) -> None:
        """Stop, and remove the folder with everything in it."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def token(self, user: str, groups: Sequence[str]) -> str:
        """A bearer token that this cluster accepts as `user` in `groups`, also after a restart."""
        return self._tokens.issue(user, groups)

    def kubeconfig(self, server_url: str, *, embed: bool = True) -> dict[str, Any]:
        """A kubeconfig for `admin` by client certificate; with `embed` its data inline, else paths to files."""
        pair = self._authority.issue_client(ADMIN, ["system:masters"])
        cluster = {"server": server_url, **_entry("certificate-authority", self._authority.certificate, embed)}
        user = {**_entry("client-certificate", pair.certificate, embed), **_entry("client-key", pair.key, embed)}
        context = {"cluster": self.name, "user": self.name, "namespace": "default"}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "preferences": {},
            "clusters": [{"name": self.name, "cluster": cluster}],
            "users": [{"name": self.name, "user": user}],
            "contexts": [{"name": self.name, "context": context}],
            "current-context": self.name,
        }

    @property
    def _state(self) -> Path:
        return self._folder / "state.json"


def _entry(name: str, path: Path, embed: bool) -> dict[str, str]:
    if not embed:
        return {name: str(path)}
    return {f"{name}-data": base64.b64encode(path.read_bytes()).decode()}


def _bind(listen: Sequence[tuple[str, int]]) -> list[socket.socket]:
    bound: list[socket.socket] = []
    try:
        for address in listen:
            bound.append(socket.create_server(address, backlog=128))
    except OSError:
        for each in bound:
            each.close()
        raise
    return bound


def _tls(pair: KeyPair, authority: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _hang_up(server: uvicorn.Server) -> None:
    """Let answers under way end, then drop connections: a client that idles would not answer the TLS farewell."""
    if server.server_state.tasks:
        await asyncio.wait(server.server_state.tasks, timeout=1)
    for connection in list(server.server_state.connections):
        if isinstance(connection, CertifiedProtocol):
            connection.transport.abort()


class _Serving:
    """One run of a cluster: the thread, from bind to save."""

    def __init__(
        self,
        state: Path,
        tokens: Tokens,
        authority: Path,
        sockets: list[socket.socket],
        context: ssl.SSLContext,
    ) -> None:
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
        if self.alive:
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

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
        address, port = self._sockets[0].getsockname()[:2]
        api = Api(store=self._store)
        controllers = WorkQueue(api, all_controllers(api, self._tokens, address, self._authority))
        populate(api, address, port)
        controllers.start()
        forget = self._store.listen(self._plan_save)
        routes = Routes(api=api, tokens=self._tokens, address=f"{address}:{port}", closing=self._closing)
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
