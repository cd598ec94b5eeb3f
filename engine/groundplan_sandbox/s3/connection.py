"""One connection: HTTP/1.1 with keep-alive on the standard library's handler.

It reads heads, hands bodies on as they come, and sends responses, files straight from disk. What a request means is
answer.py's.
"""

from __future__ import annotations

import logging
import secrets
import time
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

from groundplan_sandbox.s3.answer import answer, error_response, internal_error
from groundplan_sandbox.s3.errors import S3Error
from groundplan_sandbox.s3.operations.site import Site
from groundplan_sandbox.s3.request import FileSlice, Response, read_request
from groundplan_sandbox.s3.sigv4 import Account
from groundplan_sandbox.s3.transfer import FramedBody, framed_body

logger = logging.getLogger(__name__)

IDLE = 75.0
"""Seconds that a connection may stay silent."""
DRAIN = 4 * 1024 * 1024
"""Bytes of an unread body that are read away to keep a connection; above that it is closed."""
BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class Connection(BaseHTTPRequestHandler):
    """Serves the requests of one client, one after the other, on the `site` and `account` of a subclass."""

    site: Site
    account: Account
    protocol_version = "HTTP/1.1"
    timeout = IDLE
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024

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
        error = S3Error("InvalidRequest", status, message or status.phrase)
        self._send(error_response(error, getattr(self, "path", "/")))

    def _serve(self) -> None:
        try:
            self._send(self._answer())
        except OSError:
            logger.debug("a client left before its answer was sent", exc_info=True)
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - the names that http.server calls

    def _answer(self) -> Response:
        headers = self._joined_headers()
        try:
            request = read_request(method=self.command, target=self.path, headers=headers, received=time.time())
            body = framed_body(headers, self.rfile, self._continue)
        except S3Error as error:
            self.close_connection = True
            return error_response(error, self.path)
        try:
            response = answer(self.site, self.account, request, body)
        except ConnectionError:
            raise
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            response = error_response(internal_error("The object store failed; its log says how."), request.path)
        self._settle(body)
        return response

    def _joined_headers(self) -> dict[str, str]:
        joined: dict[str, str] = {}
        for name, value in self.headers.items():
            name = name.lower()
            joined[name] = f"{joined[name]},{value}" if name in joined else value
        return joined

    def _expects_continue(self) -> bool:
        return self.headers.get("Expect", "").lower() == "100-continue"

    def _continue(self) -> None:
        if self._expects_continue():
            self.send_response_only(HTTPStatus.CONTINUE)
            self.end_headers()
            self.wfile.flush()

    def _settle(self, body: FramedBody) -> None:
        """Reads a small rest of the body away; with a long one, or one never asked for, the connection must end."""
        if body.ended:
            return
        if (not body.started and self._expects_continue()) or not drained(body):
            self.close_connection = True

    def _send(self, response: Response) -> None:
        if not isinstance(response.body, FileSlice):
            self._send_head(response, len(response.body))
            if self._has_body(response):
                self.wfile.write(response.body)
            return
        with response.body.file as file:
            self._send_head(response, response.body.length)
            # sendfile takes a count of zero for "all of it".
            if self._has_body(response) and response.body.length:
                self.wfile.flush()
                self.connection.sendfile(file, response.body.offset, response.body.length)

    def _has_body(self, response: Response) -> bool:
        return self.command != "HEAD" and response.status not in BODILESS

    def _send_head(self, response: Response, length: int) -> None:
        self.send_response_only(response.status)
        self.send_header("Server", self.version_string())
        self.send_header("Date", formatdate(usegmt=True))
        headers = {"x-amz-request-id": secrets.token_hex(8).upper(), **response.headers}
        if response.status not in BODILESS:
            headers["Content-Length"] = str(length)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()


def drained(body: FramedBody) -> bool:
    left = DRAIN
    while not body.ended and left > 0:
        try:
            piece = body.read(64 * 1024)
        except (S3Error, OSError):
            return False
        left -= len(piece or b"")
    return body.ended
