"""Picks the program that a launcher names and runs it; each program's module is loaded when it is called.

A program takes the machine it runs on and its arguments, and gives its exit code.
"""

import importlib
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from .machine import Machine, ProgramError

PROGRAMS = {
    "adduser": "accounts:adduser",
    "apt-get": "packages:package_tool",
    "chown": "accounts:chown",
    "curl": "download:curl",
    "dnf": "packages:package_tool",
    "docker": "units:docker",
    "groupadd": "accounts:groupadd",
    "id": "accounts:id_of",
    "kubectl": "minikube:kubectl",
    "mc": "mc:mc",
    "minikube": "minikube:minikube",
    "minio": "minio:minio",
    "postgresql-setup": "units:postgresql_setup",
    "su": "switch:su",
    "sudo": "switch:sudo",
    "systemctl": "units:systemctl",
    "useradd": "accounts:adduser",
    "yum": "packages:package_tool",
    "yum-config-manager": "packages:config_tool",
}
"""Name of a program -> module and function."""

_INSTALLED_LATER = {"docker", "kubectl", "mc", "minikube", "minio"}
_REAL_WHEN_CONFINED = {"id"}


def preinstalled(*, confined: bool) -> list[str]:
    """What a new machine has; the others come by curl or yum. A confined machine's own passwd is the system's too."""
    left_out = _INSTALLED_LATER | (_REAL_WHEN_CONFINED if confined else set())
    return [name for name in PROGRAMS if name not in left_out]


def main(name: str, root: str, control: str) -> NoReturn:
    """Run the program `name` with this process's arguments. `root` is the machine's folder, empty when it is `/`."""
    module, _, function = PROGRAMS[name].partition(":")
    program: Callable[[Machine, list[str]], int]
    program = getattr(importlib.import_module(f".{module}", __package__), function)
    try:
        code = program(Machine(root=root, control=control), sys.argv[1:])
        sys.stdout.flush()
    except ProgramError as error:
        sys.stdout.flush()
        sys.stderr.write(f"{name}: {error}\n")
        code = error.code
    except BrokenPipeError:
        # Nobody reads on; and nothing may be flushed at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 141
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
