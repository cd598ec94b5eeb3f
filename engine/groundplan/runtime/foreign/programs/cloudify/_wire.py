"""Calls to the ctx proxy: a list of arguments there, a value back (spec 7.4)."""

import base64
import http.client
import json
import os
from typing import Any
from urllib.parse import urlsplit

from .exceptions import ContextError, StopOperation

_SECONDS = 60


class File:
    """A resource on its way to this host."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        self.content = content


def call(*arguments: Any) -> Any:
    """Ask the proxy and return the result; a `File` for a download.

    Raises:
        ContextError: the engine refused, or does not answer.
        StopOperation: the operation is to end as asked.
    """
    url = urlsplit(os.environ.get("CTX_SOCKET_URL", ""))
    if not url.hostname:
        raise ContextError("CTX_SOCKET_URL is not set: this is not a script of an operation")
    body = json.dumps({"args": list(arguments)})
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=_SECONDS)
    try:
        connection.request("POST", url.path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read().decode("utf-8")
    except OSError as error:
        _note("!")
        raise ContextError("the engine does not answer: %s" % error) from error
    finally:
        connection.close()
    if response.status != 200:
        raise ContextError(text)
    reply = json.loads(text)
    if reply["type"] in ("result", "stop_operation"):
        _note(body)
    return _result(reply)


def _result(reply: Any) -> Any:
    payload = reply["payload"]
    if reply["type"] == "error":
        raise ContextError(payload)
    if reply["type"] == "stop_operation":
        raise StopOperation(payload)
    if reply["type"] == "file":
        return File(payload["name"], base64.b64decode(payload["content"]))
    return payload


def _note(line: str) -> None:
    """Keep what was said, for an engine that takes over from the one that listens now."""
    journal = os.environ.get("CTX_JOURNAL")
    if journal:
        with open(journal, "a") as out:
            out.write(line + "\n")
