"""A module of built-in resources, and a bench whose node applies it with the terraform or tofu of this machine."""

import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from groundplan.model.values import reveal
from groundplan.runtime.foreign.machine import Machine
from groundplan.sdk.testing import BenchContext, context

MODULE = """
variable "word" { type = string }
variable "phrase" {
  type      = string
  sensitive = true
}
resource "terraform_data" "one" { input = var.word }
resource "terraform_data" "hidden" { input = var.phrase }
output "word" { value = terraform_data.one.output }
output "phrase" {
  value     = var.phrase
  sensitive = true
}
"""
PHRASE = "open-sesame-4711"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A node with a module. `blueprint`: the folder of the blueprint's files; `home`: what lies outside of attempts."""

    ctx: BenchContext
    blueprint: Path
    home: Path

    @property
    def properties(self) -> dict[str, Any]:
        return dict(self.ctx.instance.runtime_properties)

    @property
    def log(self) -> str:
        return "\n".join(message for _, message in self.ctx.log)

    def settle(self) -> None:
        """Have the runtime properties be as the next operation finds them: recorded, and plain."""
        settled = reveal(self.properties)
        self.ctx.instance.runtime_properties.clear()
        self.ctx.instance.runtime_properties.update(settled)
        self.ctx.log.clear()

    def write(self, text: str, name: str = "module/main.tf") -> None:
        path = self.blueprint / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class Server(ThreadingHTTPServer):
    """Keeps what is posted, unless it refuses that, gives it back, and remembers who has asked. `content`: by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.content: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.refuses = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Request(BaseHTTPRequestHandler):
    """One request to `Server`."""

    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization", "")))
        content = self.server.content.get(self.path)
        self.send_response(404 if content is None else 200)
        self.end_headers()
        self.wfile.write(content or b"")

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.server.refuses:
            self.server.content[self.path] = content
        self.send_response(503 if self.server.refuses else 200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def terraform() -> Path:
    """Return where the binary is; it is no pip package, so tests that need it are `live`."""
    found = shutil.which("terraform") or shutil.which("tofu")
    if found is None:
        pytest.fail("there is no terraform or tofu on the PATH: install one of them")
    return Path(found)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    blueprint, home = tmp_path / "blueprint", tmp_path / "home"
    config = {"source": {"location": "module"}, "variables": {"word": "hello", "phrase": PHRASE}}
    with Machine(scratch=tmp_path, resource_folders=[blueprint], lasting=home / "own", cache=home / "cache") as machine:
        ctx = context(
            node_type="cloudify.nodes.terraform.Module",
            properties={"resource_config": config},
            machine=machine,
            sleep=lambda seconds: time.sleep(min(seconds, 0.1)),
        )
        made = Bench(ctx=ctx, blueprint=blueprint, home=home)
        made.write(MODULE)
        yield made
