"""yum, dnf and apt-get: they know the few packages that the sandbox can stand for, and the .rpm that curl fetched.

Installing puts launchers and links on the PATH and adds the package's users; there is no repository and no network.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from .accounts import add_account, ensure_group
from .launchers import launcher, write_executable
from .machine import Machine, ProgramError

RPM_MARK = "groundplan sandbox package "
_RECORD = "/var/lib/groundplan/packages"
_OPTIONS_WITH_VALUE = {"-c", "--config", "-R", "-t", "-o", "--repo", "--enablerepo", "--disablerepo"}
_CONFIRMED_BY_THE_SYSTEM = (
    "bash", "ca-certificates", "coreutils", "curl", "epel-release", "gzip", "openssl", "procps", "procps-ng",
    "python3", "sed", "sudo", "tar", "util-linux", "which",
)  # fmt: skip


def package_tool(machine: Machine, arguments: list[str]) -> int:
    """`yum|dnf|apt-get VERB PACKAGE...`: install, remove, update and the verbs that only look after caches."""
    rest, words = list(arguments), []
    while rest:
        argument = rest.pop(0)
        if argument in _OPTIONS_WITH_VALUE and rest:
            rest.pop(0)
        elif not argument.startswith("-"):
            words.append(argument)
    verb, names = (words[0], words[1:]) if words else ("", [])
    if verb in {"update", "upgrade", "makecache", "clean", "autoremove", "check-update", "dist-upgrade"} and not names:
        return 0
    if verb in {"install", "localinstall", "reinstall"}:
        for name in names:
            install(machine, name)
        sys.stdout.write("Complete!\n")
        return 0
    if verb in {"remove", "erase", "purge"}:
        _forget(machine, names)
        return 0
    raise ProgramError(f"the sandbox does not know '{verb}'")


def config_tool(machine: Machine, arguments: list[str]) -> int:
    """`yum-config-manager --add-repo URL`: recorded in the machine's /etc/yum.repos.d."""
    repositories = machine.path("/etc/yum.repos.d")
    repositories.mkdir(parents=True, exist_ok=True)
    with machine.lock(), (repositories / "recorded.repo").open("a") as file:
        file.write(" ".join(arguments) + "\n")
    return 0


def install(machine: Machine, name: str) -> None:
    """Install one package, or the package file of that name. Raises ProgramError when the sandbox has none."""
    package = _package_of_file(name) if name.endswith((".rpm", ".deb")) else name
    if package not in _PACKAGES:
        raise ProgramError(f"the sandbox has no package {package}")
    with machine.lock():
        if package in installed(machine):
            sys.stdout.write(f"Package {package} is already installed.\n")
            return
    _PACKAGES[package](machine)
    with machine.lock(), machine.path(_RECORD).open("a") as file:
        file.write(f"{package}\n")
    sys.stdout.write(f"Installed: {package}\n")


def installed(machine: Machine) -> set[str]:
    """Names of the packages that were installed here."""
    record = machine.path(_RECORD)
    return set(record.read_text().split()) if record.exists() else set()


def _package_of_file(name: str) -> str:
    try:
        text = Path(name).read_text(errors="replace")
    except OSError as error:
        raise ProgramError(f"{name}: {error.strerror}") from error
    if not text.startswith(RPM_MARK):
        raise ProgramError(f"{name} is not a package that the sandbox gave")
    return text.removeprefix(RPM_MARK).strip()


def _forget(machine: Machine, names: list[str]) -> None:
    with machine.lock():
        kept = sorted(installed(machine) - set(names))
        machine.path(_RECORD).write_text("".join(f"{name}\n" for name in kept))


def _nothing(_: Machine) -> None:
    return


def _put(machine: Machine, name: str) -> None:
    text = launcher(name, python=sys.executable, library=machine.library, root=machine.root, control=machine.control)
    write_executable(machine.path("/usr/local/bin") / name, text)


def _install_psql(machine: Machine) -> None:
    folder = Path(machine.ask({"op": "machine"})["postgres_bin"])
    for name in ("psql", "pg_dump", "pg_isready", "createdb", "createuser", "dropdb", "dropuser"):
        link = machine.path("/usr/local/bin") / name
        if not link.is_symlink() and (folder / name).exists():
            link.symlink_to(folder / name)


def _install_postgresql_server(machine: Machine) -> None:
    _install_psql(machine)
    add_account(machine, "postgres", uid=26, home="/var/lib/pgsql")


def _install_docker(machine: Machine) -> None:
    ensure_group(machine, "docker")
    _put(machine, "docker")


_PACKAGES: dict[str, Callable[[Machine], None]] = {
    **dict.fromkeys(_CONFIRMED_BY_THE_SYSTEM, _nothing),
    "containerd.io": _nothing,
    "docker-buildx-plugin": _nothing,
    "docker-compose-plugin": _nothing,
    "docker": _install_docker,
    "docker-ce": _install_docker,
    "docker-ce-cli": lambda machine: _put(machine, "docker"),
    "docker.io": _install_docker,
    "minikube": lambda machine: _put(machine, "minikube"),
    "postgresql": _install_psql,
    "postgresql-client": _install_psql,
    "postgresql-contrib": _nothing,
    "postgresql-server": _install_postgresql_server,
    "yum-utils": _nothing,
}
