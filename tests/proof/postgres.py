"""A PostgreSQL server for tests: the real one, of the sandbox's wheel or of this computer, on a loopback port.

One is started for a session of tests; each test that asks for a database has one of its own, made from a template.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from groundplan_sandbox.cells.confinement import find_owner
from groundplan_sandbox.postgres.programs import find_programs

from .user import command_line, descendants, eventually

USER = "keeper"
PASSWORD = "pass:w@rd/of the/store"
_QUOTED = "pass%3Aw%40rd%2Fof%20the%2Fstore"


@dataclass(kw_only=True)
class PostgresServer:
    """A cluster in a folder. `settings`: of postgresql.conf, last wins."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    _count: int = 0

    def start(self) -> None:
        """Make the cluster at the first start, and serve."""
        programs = Path(find_programs().host_bin)
        if not (self.folder / "data").exists():
            self._own(self.folder)
            password = self.folder / "password"
            password.write_text(PASSWORD)
            self._own(password)
            options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
            self._run([programs / "initdb", "-D", self.folder / "data", *options, "-U", USER, "--pwfile", password])
            with closing(socket.socket()) as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            **self.settings,
        }
        chosen = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [programs / "postgres", "-D", self.folder / "data", *chosen], stdout=log, stderr=log, **self._as_owner()
            )
        eventually(self._answers, patience=60, what="PostgreSQL")

    def stop(self, how: int = signal.SIGINT) -> None:
        """End it: SIGINT shuts down in order, SIGQUIT at once, without a word to disk."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def kill(self) -> None:
        """End every process of it by SIGKILL: no word to anybody."""
        assert self.process is not None
        # Stopped first, it makes no further process that would be missed.
        self.process.send_signal(signal.SIGSTOP)
        children = descendants(self.process.pid)
        for pid in (self.process.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not any(map(command_line, children)), what="the end of the server's processes")
        self.process.wait(30)
        self.process = None

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database, with its password."""
        return f"postgresql://{USER}:{_QUOTED}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection[tuple[Any, ...]]":
        """Return a connection of one's own, which commits each statement."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=database, autocommit=True
        )

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Give the name of a fresh database while the block runs."""
        self._count += 1
        name = f"test{self._count}"
        self._do(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield name
        finally:
            self._do(f"DROP DATABASE {name} WITH (FORCE)")

    def _do(self, statement: str) -> None:
        with self.connect() as connection:
            connection.execute(statement.encode())

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()[-4000:]
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, command: Sequence[object]) -> None:
        done = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, check=False, **self._as_owner()
        )
        assert done.returncode == 0, done.stderr

    @staticmethod
    def _as_owner() -> dict[str, Any]:
        owner = find_owner()
        who = {} if owner.uid is None else {"user": owner.uid, "group": owner.gid, "extra_groups": []}
        return {**who, "env": {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}}

    @staticmethod
    def _own(path: Path) -> None:
        find_owner().own(path)


@contextmanager
def postgres_server(place: Path | None = None, **settings: str) -> Iterator[PostgresServer]:
    """Run a server while the block runs; what it wrote is gone afterwards.

    Without settings it is quick and forgets with the machine: no sync. `place`: where its folder is made.
    """
    folder = Path(tempfile.mkdtemp(prefix="groundplan-postgres-", dir=place))
    quick = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "32MB"}
    server = PostgresServer(folder=folder, settings=settings or quick)
    try:
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)
