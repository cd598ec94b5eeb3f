"""Addresses that a blueprint names: nothing of this machine or its network's own services is asked, by no detour."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from groundplan.dsl.imports import FetchError
from groundplan.service import download as rules
from groundplan.service.download import download


@pytest.fixture
def asked() -> Iterator[tuple[int, list[str]]]:
    """A server on loopback and what it was asked."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            where = self.path.removeprefix("/to/")
            self.send_response(302 if where != self.path else 200)
            self.send_header("Location", where)
            self.end_headers()
            self.wfile.write(b"a: 1\n")

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port, paths
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0.0.0.0", "localhost", "[::ffff:127.0.0.1]"])
def test_services_of_this_machine_are_not_asked(asked: tuple[int, list[str]], host: str) -> None:
    port, paths = asked
    with pytest.raises(FetchError, match="may not name"):
        download(f"http://{host}:{port}/types.yaml")
    assert paths == []


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200", "224.0.0.1"])
def test_metadata_services_are_not_asked(host: str) -> None:
    with pytest.raises(FetchError, match="may not name"):
        download(f"http://{host}/latest/meta-data/")


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest", "file:///etc/passwd", "ftp://192.0.2.1/x"])
def test_no_redirect_leads_there(asked: tuple[int, list[str]], target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The server of this test is on loopback, so that much is let through.
    allowed = rules._may_be_asked
    monkeypatch.setattr(rules, "_may_be_asked", lambda address: address == "127.0.0.1" or allowed(address))
    monkeypatch.setattr(rules, "_PAUSE_SECONDS", 0)
    port, paths = asked
    assert download(f"http://127.0.0.1:{port}/types.yaml") == "a: 1\n"
    with pytest.raises(FetchError):
        download(f"http://127.0.0.1:{port}/to/{target}")
    assert set(paths) == {"/types.yaml", f"/to/{target}"}


def test_a_host_that_the_user_named_is_asked_and_no_other_beside_it(asked: tuple[int, list[str]]) -> None:
    port, paths = asked
    assert download(f"http://127.0.0.1:{port}/types.yaml", ("127.0.0.1", port)) == "a: 1\n"
    for other in (f"http://127.0.0.1:{port + 1}/", "http://localhost:1/", "http://169.254.169.254/"):
        with pytest.raises(FetchError, match="may not name"):
            download(f"http://127.0.0.1:{port}/to/{other}", ("127.0.0.1", port))
    assert len(paths) == 4


@pytest.mark.parametrize("address", ["10.0.0.4", "192.168.1.1", "93.184.215.14", "2606:2800::1"])
def test_other_hosts_may_be_asked(address: str) -> None:
    assert rules._may_be_asked(address)
