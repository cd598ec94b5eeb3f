"""The object store: what `minio server DIR` starts on an emulated VM, an S3 API that checks signatures.

This module listens, and counts connections so that it can stop. What happens on one is connection.py's, what a request
means answer.py's.
"""

from __future__ import annotations

import logging
import socket
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import cast

from groundplan_sandbox.s3.catalogue import Catalogue
from groundplan_sandbox.s3.connection import Connection
from groundplan_sandbox.s3.operations.site import Site
from groundplan_sandbox.s3.sigv4 import Account

logger = logging.getLogger(__name__)

KEY_LENGTHS = (3, 8)
"""MinIO's least lengths of access key and secret key."""


class ObjectStore:
    """One server on one data folder. Several may run in a process, on different addresses and folders.

    `folder` is the folder given to `minio server`; all is kept in a hidden folder in it. `access_key` and
    `secret_key` are those of the root user: ValueError when they are shorter than MinIO takes. An empty `region` takes
    every region, as MinIO does without MINIO_SITE_REGION. The folder is trusted, what is in it is not (folder.py).
    """

    def __init__(self, folder: Path, access_key: str, secret_key: str, region: str = "us-east-1") -> None:
        if len(access_key) < KEY_LENGTHS[0] or len(secret_key) < KEY_LENGTHS[1]:
            raise ValueError(
                f"the access key needs {KEY_LENGTHS[0]} characters or more, the secret key {KEY_LENGTHS[1]} or more"
            )
        self._folder = folder
        self._account = Account(access_key=access_key, secret_key=secret_key, region=region)
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def port(self) -> int:
        """The port it listens on; RuntimeError when it does not run."""
        if self._server is None:
            raise RuntimeError("the object store does not run")
        return int(self._server.server_address[1])

    def start(self, host: str, port: int) -> None:
        """Listens on `host`:`port` (0: any free port) and returns; served from a thread of its own.

        Raises:
            OSError: the address is in use or not ours, or the folder cannot be written.
            StoreInUseError, StoreDamagedError: see catalogue.py.
            RuntimeError: it runs already.
        """
        with self._lock:
            if self._server is not None:
                raise RuntimeError("the object store runs already")
            catalogue = Catalogue(self._folder)
            try:
                server = _Server((host, port), Site(catalogue=catalogue, region=self._account.region), self._account)
            except BaseException:
                catalogue.close()
                raise
            self._server = server
            self._thread = threading.Thread(
                target=server.serve_forever,
                kwargs={"poll_interval": 0.05},
                name=f"s3 {host}:{server.server_address[1]}",
                daemon=True,
            )
            self._thread.start()

    def stop(self) -> None:
        """Ends all connections and lets the folder go; does nothing when it does not run."""
        with self._lock:
            server, thread = self._server, self._thread
            if server is None or thread is None:
                return
            server.shutdown()
            thread.join()
            server.close_connections()
            server.server_close()
            server.site.catalogue.close()
            self._server = self._thread = None


class _Server(ThreadingHTTPServer):
    # Daemons, so that a process that forgets to stop the store still ends; `close_connections` waits for them all.
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], site: Site, account: Account) -> None:
        self.site = site
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._connections_lock = threading.Lock()
        handler = type("SiteConnection", (Connection,), {"site": site, "account": account})
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # HTTPServer's own would look the host's name up in the DNS.
        socket_server_bind(self)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        connection = cast(socket.socket, request)
        thread = threading.Thread(target=self._converse, args=(connection, client_address), daemon=True)
        with self._connections_lock:
            self._connections[connection] = thread
        thread.start()

    def _converse(self, connection: socket.socket, client_address: object) -> None:
        try:
            self.process_request_thread(connection, client_address)
        finally:
            with self._connections_lock:
                del self._connections[connection]

    def close_connections(self) -> None:
        """Ends every connection and waits until its thread has ended."""
        with self._connections_lock:
            open_ones = dict(self._connections)
        for connection, thread in open_ones.items():
            end(connection)
            thread.join()

    def handle_error(self, request: object, client_address: object) -> None:
        logger.debug("connection from %s ended early", client_address, exc_info=True)


def socket_server_bind(server: _Server) -> None:
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.socket.bind(server.server_address)
    server.server_address = server.socket.getsockname()
    host, port = server.server_address[:2]
    server.server_name, server.server_port = str(host), int(port)


def end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the client was faster
