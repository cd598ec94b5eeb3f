"""minikube: start, stop, delete, status, ip and the kubeconfig of the machine's Kubernetes API; kubectl passed on.

The cluster is the sandbox's; pods do not run. The kubeconfig goes to the caller's own ~/.kube/config with its data
inline, and replaces what is there.
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from .accounts import split_options
from .machine import Machine, ProgramError
from .units import is_active

_WITH_VALUE = {
    "--apiserver-ips", "--apiserver-names", "--apiserver-port", "--listen-address", "--driver", "--vm-driver",
    "--kubernetes-version", "--cpus", "--memory", "--nodes", "-n", "--profile", "-p", "--addons", "--extra-config",
    "--container-runtime", "--wait", "--wait-timeout", "--disk-size", "--cni", "--ports", "--base-image", "-o",
    "--output", "--format", "-f", "--alsologtostderr", "--v", "-v",
}  # fmt: skip
_PLAIN = {"--embed-certs", "--force", "--install-addons", "--keep-context", "--purge", "--all", "--interactive"}
_WITHOUT_DOCKER = {"none", "podman", "kvm2", "qemu2", "virtualbox", "ssh"}
# What YAML reads as this text without quotes: minikube's own file has none, and scripts edit it by sed.
_PLAIN_TEXT = re.compile(r"(https://)?[A-Za-z][A-Za-z0-9+/=.:-]*[A-Za-z0-9=]")
_NOT_RUNNING, _NO_PROFILE, _NO_DOCKER = 7, 85, 69
_SYSTEM_KUBECTL = "/usr/bin/kubectl"


def minikube(machine: Machine, arguments: list[str]) -> int:
    """Minikube's commands; 85 without a cluster, 69 without docker, 7 for the status of a stopped one."""
    verb = arguments[0] if arguments else ""
    if verb == "kubectl":
        return kubectl(machine, [argument for argument in arguments[1:] if argument != "--"])
    if verb not in _VERBS:
        raise ProgramError(f"the sandbox does not know 'minikube {verb}'", 64)
    options, _ = split_options(arguments[1:], _WITH_VALUE, _PLAIN)
    return _VERBS[verb](machine, options)


def kubectl(machine: Machine, arguments: list[str]) -> int:
    """`config view` from the kubeconfig; everything else is the computer's own kubectl's, where it has one."""
    if arguments[:2] == ["config", "view"]:
        sys.stdout.write(_kubeconfig(machine).read_text())
        return 0
    if not os.path.exists(_SYSTEM_KUBECTL):
        raise ProgramError("the sandbox has no kubectl here", 127)
    os.execv(_SYSTEM_KUBECTL, ["kubectl", *arguments])  # noqa: S606 - a program given by its full path


def _start(machine: Machine, options: dict[str, str]) -> int:
    driver = options.get("--driver", options.get("--vm-driver", "docker"))
    if driver not in _WITHOUT_DOCKER and not is_active(machine, "docker"):
        raise ProgramError("Exiting due to PROVIDER_DOCKER_NOT_RUNNING: start docker first", _NO_DOCKER)
    addresses = _split(options.get("--apiserver-ips"))
    names = [*addresses, *_split(options.get("--apiserver-names"))]
    own = machine.ask({"op": "machine"})["addresses"]
    server = next((address for address in addresses if address in own), None)
    answer = machine.ask({"op": "minikube", "action": "start", "names": names, "server": server})
    _write_kubeconfig(machine, answer["kubeconfig"])
    sys.stdout.write('* Done! kubectl is now configured to use "minikube" cluster and "default" namespace by default\n')
    return 0


def _stop(machine: Machine, _: dict[str, str]) -> int:
    _require(machine)
    machine.ask({"op": "minikube", "action": "stop"})
    sys.stdout.write("* 1 node stopped.\n")
    return 0


def _delete(machine: Machine, _: dict[str, str]) -> int:
    machine.ask({"op": "minikube", "action": "delete"})
    _kubeconfig(machine).unlink(missing_ok=True)
    sys.stdout.write('* Removed all traces of the "minikube" cluster.\n')
    return 0


def _status(machine: Machine, _: dict[str, str]) -> int:
    state = "Running" if _require(machine)["running"] else "Stopped"
    sys.stdout.write(f"minikube\ntype: Control Plane\nhost: {state}\nkubelet: {state}\napiserver: {state}\n")
    sys.stdout.write(f"kubeconfig: {'Configured' if state == 'Running' else 'Stopped'}\n")
    return 0 if state == "Running" else _NOT_RUNNING


def _ip(machine: Machine, _: dict[str, str]) -> int:
    addresses = machine.ask({"op": "machine"})["addresses"]
    sys.stdout.write(f"{addresses[0] if addresses else '127.0.0.1'}\n")
    return 0


def _version(_: Machine, __: dict[str, str]) -> int:
    sys.stdout.write("minikube version: sandbox\n")
    return 0


_VERBS = {"start": _start, "stop": _stop, "delete": _delete, "status": _status, "ip": _ip, "version": _version}


def _require(machine: Machine) -> dict[str, Any]:
    status = machine.ask({"op": "minikube", "action": "status"})
    if not status["exists"]:
        raise ProgramError('Profile "minikube" not found. Run "minikube start"', _NO_PROFILE)
    return status


def _split(text: str | None) -> list[str]:
    return [part for part in (text or "").split(",") if part]


def _kubeconfig(machine: Machine) -> Path:
    return Path(os.environ.get("KUBECONFIG") or Path(os.environ.get("HOME", "/root")) / ".kube" / "config")


def _write_kubeconfig(machine: Machine, config: dict[str, Any]) -> None:
    path = _kubeconfig(machine)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.touch(mode=0o600)
    temporary.write_text("".join(f"{line}\n" for line in _yaml(config)))
    temporary.replace(path)


def _yaml(value: Any, indent: str = "") -> list[str]:
    """YAML of the plain mappings, lists and texts that a kubeconfig consists of."""
    lines: list[str] = []
    for key, item in value.items():
        if isinstance(item, dict) and item:
            lines += [f"{indent}{key}:", *_yaml(item, f"{indent}  ")]
        elif isinstance(item, list) and item:
            lines.append(f"{indent}{key}:")
            for entry in item:
                first, *rest = _yaml(entry, f"{indent}  ")
                lines += [f"{indent}- {first.strip()}", *rest]
        else:
            lines.append(f"{indent}{key}: {item if _PLAIN_TEXT.fullmatch(str(item)) else json.dumps(item)}")
    return lines
