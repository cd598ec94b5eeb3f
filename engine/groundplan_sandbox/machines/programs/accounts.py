"""Users and groups of a machine, kept in its own passwd and group: adduser, useradd, groupadd, chown.

A user is a name, a number and a home; files of a machine all belong to one user of the host, so `chown` checks the
names and changes nothing.
"""

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from .machine import Machine, ProgramError

_FIRST_ID = 1000
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}\$?", re.IGNORECASE)
_WITH_VALUE = {"-g", "--gid", "-u", "--uid", "-s", "--shell", "-d", "--home", "--home-dir", "-G", "--groups", "-c"}
_WITH_VALUE |= {"--comment", "--gecos", "--ingroup", "-p", "--password"}
_PLAIN = {"-m", "--create-home", "-M", "-r", "--system", "-N", "-U", "--disabled-password", "--quiet", "-f", "--force"}


@dataclass(frozen=True, kw_only=True)
class Account:
    """One line of passwd(5)."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


def adduser(machine: Machine, arguments: list[str]) -> int:
    """`adduser NAME`, `useradd NAME`, with -g GROUP, -u ID, -d HOME, -s SHELL; 9 for a name taken (useradd(8))."""
    options, names = split_options(arguments, _WITH_VALUE, _PLAIN)
    if len(names) != 1:
        raise ProgramError("one user name, please", 2)
    group = options.get("-g") or options.get("--gid") or options.get("--ingroup")
    uid = options.get("-u") or options.get("--uid")
    home = options.get("-d") or options.get("--home") or options.get("--home-dir")
    shell = options.get("-s") or options.get("--shell") or "/bin/bash"
    add_account(machine, names[0], group=group, uid=int(uid) if uid else None, home=home, shell=shell)
    return 0


def groupadd(machine: Machine, arguments: list[str]) -> int:
    """`groupadd NAME`; 9 when the name is taken, unless -f."""
    options, names = split_options(arguments, {"-g", "--gid"}, _PLAIN)
    if len(names) != 1:
        raise ProgramError("one group name, please", 2)
    with machine.lock():
        if names[0] in _groups(machine):
            if "-f" in options or "--force" in options:
                return 0
            raise ProgramError(f"group '{names[0]}' already exists", 9)
        gid = options.get("-g") or options.get("--gid")
        _add_group(machine, names[0], int(gid) if gid else None)
    return 0


def chown(machine: Machine, arguments: list[str]) -> int:
    """`chown [-R] USER[:GROUP] FILE...`: the names and the files must exist; 1 otherwise."""
    operands = [argument for argument in arguments if not argument.startswith("-")]
    if len(operands) < 2:
        raise ProgramError("missing operand")
    user, _, group = operands[0].replace(".", ":", 1).partition(":")
    if user and not user.isdigit() and find_account(machine, user) is None:
        raise ProgramError(f"invalid user: '{operands[0]}'")
    if group and not group.isdigit() and group not in _groups(machine):
        raise ProgramError(f"invalid group: '{operands[0]}'")
    missing = [name for name in operands[1:] if not os.path.lexists(name)]
    if missing:
        raise ProgramError(f"cannot access '{missing[0]}': No such file or directory")
    return 0


def id_of(machine: Machine, arguments: list[str]) -> int:
    """`id USER` of a machine without namespaces, whose users the system does not know; else the system's own id."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        os.execv("/usr/bin/id", ["id", *arguments])  # noqa: S606 - a program given by its full path
    account = find_account(machine, arguments[0])
    if account is None:
        raise ProgramError(f"'{arguments[0]}': no such user")
    sys.stdout.write(f"uid={account.uid}({account.name}) gid={account.gid}\n")
    return 0


def add_account(
    machine: Machine,
    name: str,
    *,
    group: str | None = None,
    uid: int | None = None,
    home: str | None = None,
    shell: str = "/bin/bash",
) -> None:
    """Add a user, its home and, without `group`, a group of its name. Raises ProgramError, code 9 for a taken name."""
    if not _NAME.fullmatch(name):
        raise ProgramError(f"invalid user name '{name}'", 3)
    with machine.lock():
        if find_account(machine, name) is not None:
            raise ProgramError(f"user '{name}' already exists", 9)
        taken = {account.uid for account in _accounts(machine)} | set(_groups(machine).values())
        number = uid if uid is not None else next(i for i in range(_FIRST_ID, 60000) if i not in taken)
        gid = _gid(machine, group) if group else _own_group(machine, name, number)
        home = home or f"/home/{name}"
        with machine.path("/etc/passwd").open("a") as file:
            file.write(f"{name}:x:{number}:{gid}::{home}:{shell}\n")
    machine.path(home).mkdir(mode=0o755, parents=True, exist_ok=True)


def ensure_group(machine: Machine, name: str) -> None:
    """Add a group unless it is there."""
    with machine.lock():
        if name not in _groups(machine):
            _add_group(machine, name, None)


def find_account(machine: Machine, name: str) -> Account | None:
    """The user of this name, or None."""
    return next((account for account in _accounts(machine) if account.name == name), None)


def split_options(arguments: Sequence[str], with_value: set[str], plain: set[str]) -> tuple[dict[str, str], list[str]]:
    """Options (those without a value give an empty text) and operands. Raises ProgramError (2) for an unknown one."""
    options: dict[str, str] = {}
    operands: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, has_value, value = argument.partition("=")
        if not argument.startswith("-") or argument == "-":
            operands.append(argument)
        elif name in with_value:
            if not has_value and not rest:
                raise ProgramError(f"option '{name}' requires an argument", 2)
            options[name] = value if has_value else rest.pop(0)
        elif name in plain:
            options[name] = value
        else:
            raise ProgramError(f"the sandbox does not know the option '{name}'", 2)
    return options, operands


def _own_group(machine: Machine, name: str, number: int) -> int:
    groups = _groups(machine)
    if name in groups:
        raise ProgramError(f"group '{name}' exists: to add this user to it, use -g", 9)
    return _add_group(machine, name, number)


def _gid(machine: Machine, group: str) -> int:
    if group.isdigit():
        return int(group)
    groups = _groups(machine)
    if group not in groups:
        raise ProgramError(f"group '{group}' does not exist", 6)
    return groups[group]


def _add_group(machine: Machine, name: str, gid: int | None) -> int:
    taken = set(_groups(machine).values())
    number = gid if gid is not None and gid not in taken else next(i for i in range(_FIRST_ID, 60000) if i not in taken)
    with machine.path("/etc/group").open("a") as file:
        file.write(f"{name}:x:{number}:\n")
    return number


def _accounts(machine: Machine) -> list[Account]:
    accounts = []
    for line in machine.path("/etc/passwd").read_text().splitlines():
        fields = line.split(":")
        if len(fields) == 7:
            name, _, uid, gid, _, home, shell = fields
            accounts.append(Account(name=name, uid=int(uid), gid=int(gid), home=home, shell=shell))
    return accounts


def _groups(machine: Machine) -> dict[str, int]:
    lines = [line.split(":") for line in machine.path("/etc/group").read_text().splitlines()]
    return {fields[0]: int(fields[2]) for fields in lines if len(fields) == 4}
