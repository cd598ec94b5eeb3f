"""A server that stands where AWS would, for what is told of single requests and moto does not show."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Final

KEYS: Final = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "secret-of-test", "region_name": "us-east-1"}


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Give the URL of a server whose requests `handler` answers."""
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
