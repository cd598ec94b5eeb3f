"""The small programs of a machine: what a script calls and no sandbox has for real (yum, minikube...).

Standard library only, run confined as `python -I -S` through launchers that `layout.py` writes. What needs a server
they ask of the sandbox over the machine's control socket (`control.py` outside); everything else they do themselves.
"""

PROGRAM_NAMES = (
    "adduser",
    "apt-get",
    "chown",
    "curl",
    "dnf",
    "docker",
    "groupadd",
    "mc",
    "postgresql-setup",
    "su",
    "sudo",
    "systemctl",
    "useradd",
    "yum",
    "yum-config-manager",
)
