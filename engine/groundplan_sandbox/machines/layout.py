"""What a new machine holds of its own: folders, an `/etc` with copies of what programs look up, the small programs.

What it sees of the host beside that is decided in `cells/view.py`; `vm.py` puts both together.
"""

import compileall
import shutil
from pathlib import Path

from groundplan_sandbox.cells.cell import PYTHON
from groundplan_sandbox.machines.programs.launchers import launcher, write_executable
from groundplan_sandbox.machines.programs.main import preinstalled

PROGRAMS = "/groundplan/bin"
LIBRARY = "/groundplan/lib"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_ETC_COPIES = (
    "alternatives", "bash.bashrc", "ca-certificates", "ca-certificates.conf", "crypto-policies", "debian_version",
    "inputrc", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf", "os-release",
    "pki/ca-trust", "pki/tls/cert.pem", "pki/tls/certs", "protocols", "redhat-release", "services", "shells",
    "ssl/cert.pem", "ssl/certs", "ssl/openssl.cnf", "static", "terminfo",
)  # fmt: skip
_OWN_FOLDERS = {
    "etc": 0o755, "groundplan": 0o755, "home": 0o755, "mnt": 0o755, "opt": 0o755, "root": 0o700, "run": 0o755,
    "srv": 0o755, "sys": 0o755, "tmp": 0o1777, "usr": 0o755, "var": 0o755, "var/cache": 0o755, "var/lib": 0o755,
    "var/lib/groundplan": 0o755, "var/log": 0o755, "var/tmp": 0o1777,
}  # fmt: skip
_OWN_LOCAL = ("bin", "etc", "lib", "sbin", "share")
_ACCOUNTS = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
_GROUPS = "root:x:0:\nwheel:x:10:\nnogroup:x:65534:\n"
_PROFILE = f'export PATH="{PROGRAMS}:{SYSTEM_PATH}"\n'


def write_skeleton(root: Path, *, hostname: str) -> list[Path]:
    """Make a new machine's own folders and its `/etc`; returns what was made, for the caller to give away."""
    for name, mode in _OWN_FOLDERS.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name).chmod(mode)
    etc = root / "etc"
    for name in _ETC_COPIES:
        _copy(Path("/etc") / name, etc / name)
    (etc / "passwd").write_text(_ACCOUNTS)
    (etc / "group").write_text(_GROUPS)
    (etc / "hostname").write_text(f"{hostname}\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost {hostname}\n")
    (etc / "resolv.conf").write_text("")
    (etc / "profile").write_text(_PROFILE)
    return [root, *root.rglob("*")]


def write_local(local: Path) -> list[Path]:
    """Make the machine's own `/usr/local`; returns what was made."""
    for name in _OWN_LOCAL:
        (local / name).mkdir(parents=True, exist_ok=True)
    return [local, *local.rglob("*")]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if source.is_dir() and not source.is_symlink():
            shutil.copytree(source, target, symlinks=True, copy_function=shutil.copyfile, dirs_exist_ok=True)
        elif source.exists() or source.is_symlink():
            shutil.copyfile(source, target, follow_symlinks=False)
    except (shutil.Error, PermissionError):
        # What this user may not read, a machine does not need.
        return


def write_programs(folder: Path, *, library: str, root: str, control: str) -> None:
    """Write the launchers of a new machine's small programs to `folder`, and compile the programs once."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in preinstalled(confined=root == ""):
        text = launcher(name, python=PYTHON, library=library, root=root, control=control)
        write_executable(folder / name, text)
    python = folder / "python3"
    if not python.is_symlink() and not Path("/usr/bin/python3").exists():
        python.symlink_to(PYTHON)
    compileall.compile_dir(str(library_source() / "programs"), quiet=2)


def library_source() -> Path:
    """The host's folder that holds the package `programs`."""
    return Path(__file__).parent
