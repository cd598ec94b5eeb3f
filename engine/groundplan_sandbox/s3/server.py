"""The object store: what `minio server DIR` starts on an emulated VM, an S3 API that checks signatures.

This module listens and answers: it takes a request from the connection, has it authenticated, allowed and carried
out, and sends the response. It knows no operation (routes.py) and no rule of S3 itself.
"""

from __future__ import annotations

import errno
import logging
import secrets
import socket
import threading
import time
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from groundplan_sandbox.s3.catalogue import Catalogue
from groundplan_sandbox.s3.documents import render_error
from groundplan_sandbox.s3.errors import S3Error, access_denied, bad_request
from groundplan_sandbox.s3.operations.site import Site
from groundplan_sandbox.s3.payload import Payload
from groundplan_sandbox.s3.policy import grants
from groundplan_sandbox.s3.request import FileSlice, Request, Response, read_request
from groundplan_sandbox.s3.routes import Route, route_of
from groundplan_sandbox.s3.sigv4 import Account, authenticate
from groundplan_sandbox.s3.transfer import FramedBody, framed_body

logger = logging.getLogger(__name__)

HEALTH = "/minio/health/"
IDLE = 75.0
"""Seconds that a connection may stay silent."""
DRAIN = 4 * 1024 * 1024
"""Bytes of an unread body that are read away to keep a connection; above that it is closed."""
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
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], site: Site, account: Account) -> None:
        self.site = site
        self.account = account
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own would look the host's name up in the DNS.
        socket_server_bind(self)

    def opened(self, connection: socket.socket) -> None:
        with self._connections_lock:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._connections_lock:
            self._connections.discard(connection)

    def close_connections(self) -> None:
        """Wakes the threads that wait on a connection, so that they end."""
        with self._connections_lock:
            for connection in self._connections:
                end(connection)

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


class _Handler(BaseHTTPRequestHandler):
    """One connection: its requests, one after the other."""

    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        super().finish()

    def handle_expect_100(self) -> bool:
        return True  # answered when the body is first read, so that a refused request need not send it

    def version_string(self) -> str:
        return "groundplan-sandbox"

    def log_message(self, format: str, *args: object) -> None:
        logger.debug(format, *args)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server itself refuses: a malformed request line, headers too long, an unknown method."""
        status = HTTPStatus(code)
        self.close_connection = True
        self._send_error(S3Error("InvalidRequest", status, message or status.phrase), getattr(self, "path", "/"))

    def _serve(self) -> None:
        joined: dict[str, str] = {}
        for name, value in self.headers.items():
            name = name.lower()
            joined[name] = f"{joined[name]},{value}" if name in joined else value
        body: FramedBody | None = None
        try:
            request = read_request(method=self.command, target=self.path, headers=joined, received=time.time())
            body = framed_body(joined, self.rfile, self._continue)
            self._send(self._answer(request, body), body)
        except S3Error as error:
            self._settle(body)
            self._send_error(error, self.path.partition("?")[0])
        except TimeoutError:
            self.close_connection = True
            self._send_error(bad_request("RequestTimeout", "The body was not sent in time."), self.path)
        except ConnectionError:
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - the names that http.server calls

    def _answer(self, request: Request, body: FramedBody) -> Response:
        if request.path.startswith(HEALTH):
            return health(request)
        route = route_of(request)
        account, site = self.server.account, self.server.site
        proof = authenticate(request, account, any_region=route.any_region)
        if proof is None and not allowed(site, request, route):
            raise access_denied()
        try:
            return route.operation(site, request, Payload(request, body, proof))
        except OSError as error:
            if isinstance(error, (ConnectionError, TimeoutError)):
                raise
            logger.exception("%s %s failed", request.method, request.path)
            raise disk_error(error) from error

    def _continue(self) -> None:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(HTTPStatus.CONTINUE)
            self.end_headers()
            self.wfile.flush()

    def _settle(self, body: FramedBody | None) -> None:
        """Reads a small rest of the body away; with a long one, or one that was never asked for, the connection must
        end.
        """
        if body is None:
            self.close_connection = True
            return
        if body.ended:
            return
        waits = not body.started and self.headers.get("Expect", "").lower() == "100-continue"
        if waits or not drained(body):
            self.close_connection = True

    def _send(self, response: Response, body: FramedBody) -> None:
        self._settle(body)
        sliced = response.body if isinstance(response.body, FileSlice) else None
        length = sliced.length if sliced else len(response.body) if isinstance(response.body, bytes) else 0
        try:
            self._send_head(response.status, {**response.headers, "Content-Length": str(length)})
            if self.command == "HEAD" or response.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
                self.wfile.flush()
            elif sliced:
                self.wfile.flush()
                sliced.file.seek(sliced.offset)
                self.connection.sendfile(sliced.file, sliced.offset, sliced.length) if sliced.length else None
            elif isinstance(response.body, bytes):
                self.wfile.write(response.body)
        finally:
            if sliced:
                sliced.file.close()

    def _send_head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        self.send_header("Server", self.version_string())
        self.send_header("Date", formatdate(usegmt=True))
        headers.setdefault("x-amz-request-id", secrets.token_hex(8).upper())
        if status == HTTPStatus.NO_CONTENT:
            headers.pop("Content-Length", None)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send_error(self, error: S3Error, resource: str) -> None:
        request_id = secrets.token_hex(8).upper()
        document = render_error(error, resource=resource, request_id=request_id)
        headers = {
            "Content-Type": "application/xml",
            "Content-Length": str(len(document)),
            "x-amz-request-id": request_id,
        }
        self._send_head(error.status, headers | error.headers)
        if self.command != "HEAD":
            self.wfile.write(document)


def health(request: Request) -> Response:
    known = request.path.removeprefix(HEALTH) in ("live", "ready", "cluster")
    return Response(status=HTTPStatus.OK if known else HTTPStatus.NOT_FOUND)


def allowed(site: Site, request: Request, route: Route) -> bool:
    """Whether the bucket's policy lets anybody do this."""
    if route.anonymous is None:
        return False
    resource = f"{request.bucket}/{request.key}" if request.key else request.bucket
    return any(
        grants(record.policy, route.anonymous, resource)
        for record in site.catalogue.buckets()
        if record.name == request.bucket
    )


def drained(body: FramedBody) -> bool:
    left = DRAIN
    while not body.ended and left > 0:
        try:
            piece = body.read(64 * 1024)
        except (S3Error, OSError):
            return False
        left -= len(piece or b"")
    return body.ended


def disk_error(error: OSError) -> S3Error:
    if error.errno == errno.ENOSPC:
        return S3Error("XMinioStorageFull", HTTPStatus.INSUFFICIENT_STORAGE, "Storage backend has reached its limit.")
    return S3Error(
        "InternalError", HTTPStatus.INTERNAL_SERVER_ERROR, "The sandbox's object store cannot use its data folder."
    )
