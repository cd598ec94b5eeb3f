"""Answers the API server's question whose a token is that Kubernetes did not make (TokenReview, by webhook).

It listens on 127.0.0.1 and speaks only to whoever shows a client certificate of the cluster's authority. Which tokens
there are is `kubernetes.authentication`'s knowledge.
"""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from groundplan_sandbox.kubernetes.authentication import Tokens
from groundplan_sandbox.kubernetes.certificates import KeyPair

_LARGEST = 1 << 20
_PATIENCE = 30.0


class TokenReviews:
    """A server of TokenReviews; it serves from the start until `close`."""

    def __init__(self, tokens: Tokens, pair: KeyPair, authority: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
        self._server = _Server(tokens, context)
        self._thread = threading.Thread(target=self._server.serve_forever, name="token-reviews", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, tokens: Tokens, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Review)
        self.tokens = tokens
        self._context = context

    def finish_request(self, request: Any, client_address: Any) -> None:
        # On the request's own thread: a stranger who stays silent in the handshake keeps nobody waiting.
        request.settimeout(_PATIENCE)
        try:
            secured = self._context.wrap_socket(request, server_side=True)
        except OSError:
            return
        with secured:
            super().finish_request(secured, client_address)


class _Review(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        try:
            size = min(int(self.headers.get("Content-Length", 0)), _LARGEST)
            token = str(json.loads(self.rfile.read(size))["spec"]["token"])
        except (ValueError, KeyError, TypeError):
            self.send_error(400)
            return
        user = self.server.tokens.user(token)
        status = {"authenticated": False} if user is None else {"authenticated": True, "user": user.to_json()}
        body = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing: who asked for whom belongs in no log."""
