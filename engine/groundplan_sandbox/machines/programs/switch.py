"""sudo and su: run a command as another user of the machine.

In a confined machine the command really sees another user id, in a user namespace of its own. Nobody asks for a
password, and sudo passes the whole environment on, which the real one does not.
"""

import ctypes
import os
from typing import NoReturn

from .accounts import Account, find_account
from .machine import Machine, ProgramError

_CLONE_NEWUSER = 0x10000000
_LOGIN_PATH = "/groundplan/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SUDO_PLAIN = {"-E", "-n", "-H", "-S", "-k", "-b", "--preserve-env", "--non-interactive", "--set-home", "--stdin"}


def sudo(machine: Machine, arguments: list[str]) -> int:
    """`sudo [-u USER] [NAME=VALUE...] COMMAND...`; with -i or -s and no command, a shell."""
    user, login, rest = "root", False, list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in {"-u", "--user"} and rest:
            user = rest.pop(0)
        elif option.startswith("--user="):
            user = option.partition("=")[2]
        elif option in {"-i", "--login", "-s", "--shell"}:
            login = True
        elif option == "--":
            break
        elif option not in _SUDO_PLAIN:
            raise ProgramError(f"the sandbox does not know the option '{option}'")
    account = _account(machine, user)
    env = {**os.environ, **_identity(machine, account), "SUDO_USER": os.environ.get("USER", "root")}
    while rest and "=" in rest[0] and not rest[0].startswith(("=", "/")):
        name, _, value = rest.pop(0).partition("=")
        env[name] = value
    command = rest or ([account.shell] if login else [])
    if not command:
        raise ProgramError("usage: sudo [-u user] command")
    _become(machine, account)
    _execute(command, env)


def su(machine: Machine, arguments: list[str]) -> int:
    """`su [-] [USER] [-c COMMAND]`: with - (-l) a new login shell in the user's home."""
    login, command, names, rest = False, None, [], list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument in {"-", "-l", "--login"}:
            login = True
        elif argument in {"-c", "--command"} and rest:
            command = rest.pop(0)
        elif argument in {"-s", "--shell"} and rest:
            rest.pop(0)
        elif argument.startswith("-"):
            raise ProgramError(f"the sandbox does not know the option '{argument}'")
        else:
            names.append(argument)
    account = _account(machine, names[0] if names else "root")
    identity = _identity(machine, account)
    env = {**(_login_environment(machine) if login else os.environ), **identity}
    _become(machine, account)
    if login:
        os.chdir(identity["HOME"])
    # A login shell reads /etc/profile; outside a cell that one is the host's, and would take the small programs away.
    first = f"-{os.path.basename(account.shell)}" if login and machine.confined else account.shell
    _execute([first, *(["-c", command] if command is not None else [])], env, program=account.shell)


def _account(machine: Machine, name: str) -> Account:
    account = find_account(machine, name)
    if account is None:
        raise ProgramError(f"user {name} does not exist")
    return account


def _identity(machine: Machine, account: Account) -> dict[str, str]:
    home = str(machine.path(account.home))
    return {"HOME": home, "USER": account.name, "LOGNAME": account.name, "SHELL": account.shell}


def _login_environment(machine: Machine) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("TERM", "LANG") if name in os.environ}
    return {**kept, "PATH": _LOGIN_PATH if machine.confined else os.environ["PATH"]}


def _become(machine: Machine, account: Account) -> None:
    if not machine.confined or os.getuid() == account.uid:
        return
    own = os.getuid(), os.getgid()
    if ctypes.CDLL(None).unshare(_CLONE_NEWUSER) != 0:
        raise ProgramError(f"cannot become {account.name}: the kernel refuses another user namespace")
    for path, text in (
        ("/proc/self/setgroups", "deny"),
        ("/proc/self/uid_map", f"{account.uid} {own[0]} 1"),
        ("/proc/self/gid_map", f"{account.gid} {own[1]} 1"),
    ):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)


def _execute(command: list[str], env: dict[str, str], program: str | None = None) -> NoReturn:
    try:
        os.execvpe(program or command[0], command, env)  # noqa: S606 - running the given command is what sudo is for
    except OSError as error:
        raise ProgramError(f"{command[0]}: {error.strerror}", 127 if error.errno == 2 else 126) from error
