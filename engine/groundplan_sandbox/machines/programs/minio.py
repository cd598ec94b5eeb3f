"""minio: `minio server` holds the machine's object store for as long as it runs.

The store itself is the sandbox's; the folder given to it names it and is made, but its objects are kept elsewhere.
"""

import os
import signal
import sys
from pathlib import Path

from .accounts import split_options
from .machine import Machine, ProgramError

_DEFAULT_KEY = "minioadmin"
_DEFAULT_PORT = 9000
_WITH_VALUE = {"--address", "--console-address", "--certs-dir", "-S", "--config-dir", "-C"}
_PLAIN = {"--quiet", "--anonymous", "--json"}


def minio(machine: Machine, arguments: list[str]) -> int:
    """`minio server [--address HOST:PORT] DIR`, keys and region from MinIO's environment variables."""
    if arguments[:1] in (["--version"], ["-v"]):
        sys.stdout.write("minio version SANDBOX\n")
        return 0
    if arguments[:1] != ["server"]:
        raise ProgramError("the sandbox knows `minio server DIR` and `minio --version`")
    options, folders = split_options(arguments[1:], _WITH_VALUE, _PLAIN)
    if len(folders) != 1:
        raise ProgramError("the sandbox serves one folder: minio server DIR")
    folder = Path(folders[0]).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProgramError(f"Unable to use the drive {folder}: {error.strerror}") from error
    request = {
        "op": "minio",
        "folder": str(folder),
        "port": _port(options.get("--address")),
        "access_key": _setting("MINIO_ROOT_USER", "MINIO_ACCESS_KEY", default=_DEFAULT_KEY),
        "secret_key": _setting("MINIO_ROOT_PASSWORD", "MINIO_SECRET_KEY", default=_DEFAULT_KEY),
        "region": _setting("MINIO_SITE_REGION", "MINIO_REGION", "MINIO_REGION_NAME", default=""),
    }
    # Ends by a signal alone; SIGTERM closes the connection, which stops the store.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with machine.hold(request):
        sys.stdout.write(f"API: http://0.0.0.0:{request['port']}\n")
        sys.stdout.flush()
        while True:
            signal.pause()


def _port(address: str | None) -> int:
    if address is None:
        return _DEFAULT_PORT
    port = address.rpartition(":")[2]
    if not port.isdigit():
        raise ProgramError(f"not an address: {address}")
    return int(port)


def _setting(*names: str, default: str) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), default)
