"""An SSH server for tests, as a program: any user, one key, commands as the user who runs it, below a home of its own.

Usage: ssh_server.py FOLDER PORT FORWARDING, with `id.pub` and `host_key` in FOLDER; prints its port when it listens.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import asyncssh

FOLDER, PORT, FORWARDING = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "yes"


class Login(asyncssh.SSHServer):  # type: ignore[misc] # read as untyped, see pyproject.toml
    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: Any) -> bool:
        known: bool = key.public_data == asyncssh.read_public_key(FOLDER / "id.pub").public_data
        return known and username == "centos"

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("centos", "open sesame")

    def connection_requested(self, *_: Any) -> bool:
        return True

    def server_requested(self, host: str, port: int) -> bool:
        return FORWARDING


async def run(session: Any) -> None:
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        session.command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=FOLDER / "home",
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(FOLDER / "home"), "LANG": "C.UTF-8"},
        start_new_session=True,
    )
    await session.redirect(process.stdin, process.stdout, process.stderr)
    code = await process.wait()
    await session.stdout.drain()
    session.exit(code if code >= 0 else 128 - code)


async def main() -> None:
    server = await asyncssh.listen(
        "127.0.0.1",
        PORT,
        server_factory=Login,
        server_host_keys=[str(FOLDER / "host_key")],
        process_factory=run,
        encoding=None,
    )
    print(server.get_port(), flush=True)
    await server.wait_closed()


if __name__ == "__main__":
    os.umask(0o022)
    asyncio.run(main())
