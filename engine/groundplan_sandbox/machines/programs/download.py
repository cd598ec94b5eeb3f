"""curl: it gives the small programs for the addresses they are known by, and asks servers of the machine itself.

There is no internet: any other address ends with 6, as a name that cannot be resolved, and says so.
"""

import os
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from .launchers import launcher
from .machine import Machine, ProgramError
from .packages import RPM_MARK

_SYSTEM_KUBECTL = "/usr/bin/kubectl"
_KNOWN = (
    (re.compile(r"dl\.min\.io/server/minio/release/linux-[^/]+/(archive/)?minio(\.RELEASE\.[\w.-]+)?"), "minio"),
    (re.compile(r"dl\.min\.io/client/mc/release/linux-[^/]+/(archive/)?mc(\.RELEASE\.[\w.-]+)?"), "mc"),
    (re.compile(r"storage\.googleapis\.com/minikube/releases/[^/]+/minikube-linux-\w+"), "minikube"),
    (
        re.compile(r"(dl\.k8s\.io|storage\.googleapis\.com/kubernetes-release)/(release/)?[^/]+/bin/.*/kubectl"),
        "kubectl",
    ),
)
_KNOWN_PACKAGES = (
    (re.compile(r"storage\.googleapis\.com/minikube/releases/[^/]+/minikube[-_][\w.-]+\.(rpm|deb)"), "minikube"),
)
_HEADER = {"-H", "--header"}
_WITH_VALUE = {"-o", "--output", "-X", "--request", "-d", "--data", "-u", "--user", "-m", "-w"}
_WITH_VALUE |= {"--connect-timeout", "--max-time", "--retry", "--retry-delay", "--cacert", "-A", "--data-raw"}
_LOCAL = {"localhost", "127.0.0.1"}
_CANNOT_RESOLVE, _CANNOT_CONNECT, _HTTP_ERROR = 6, 7, 22


def curl(machine: Machine, arguments: list[str]) -> int:
    """`curl [-L] [-o FILE | -O] [-X METHOD] [-H HEADER] [-d DATA] URL`.

    6 for an unknown host, 7 when nothing answers, 22 for an HTTP error with -f, 23 when the file cannot be written.
    """
    options, urls = _parse(arguments)
    if not urls:
        raise ProgramError("no URL specified", 2)
    for url in urls:
        content = _fetch(machine, url, options)
        name = os.path.basename(urlsplit(url).path) if "-O" in options else options.get("-o", options.get("--output"))
        if name is None or name == "-":
            sys.stdout.buffer.write(content)
        else:
            _write(name, content)
    return 0


def _parse(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    urls: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("-"):
            urls.append(argument)
        elif argument in _HEADER:
            header = rest.pop(0) if rest else ""
            options["-H"] = f"{options['-H']}\n{header}" if "-H" in options else header
        elif argument in _WITH_VALUE:
            options[argument] = rest.pop(0) if rest else ""
        elif argument.startswith("--"):
            options[argument] = ""
        else:
            _parse_short(argument, rest, options)
    return options, urls


def _parse_short(argument: str, rest: list[str], options: dict[str, str]) -> None:
    """`-sSLo FILE`: letters together, the last of which may take a value."""
    for letter in argument[1:]:
        takes_value = f"-{letter}" in _WITH_VALUE
        options[f"-{letter}"] = rest.pop(0) if takes_value and rest else ""


def _fetch(machine: Machine, url: str, options: dict[str, str]) -> bytes:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    place = f"{parts.hostname}{parts.path}"
    for pattern, package in _KNOWN_PACKAGES:
        if pattern.fullmatch(place):
            return f"{RPM_MARK}{package}\n".encode()
    for pattern, program in _KNOWN:
        if pattern.fullmatch(place):
            return _program(machine, program)
    if parts.hostname in _LOCAL or parts.hostname in machine.ask({"op": "machine"})["addresses"]:
        return _request(machine, parts.geturl(), options)
    raise ProgramError(f"(6) Could not resolve host: {parts.hostname} (the sandbox has no internet)", _CANNOT_RESOLVE)


def _program(machine: Machine, name: str) -> bytes:
    if name == "kubectl" and not os.path.exists(_SYSTEM_KUBECTL):
        raise ProgramError("(6) Could not resolve host (the sandbox has no kubectl here)", _CANNOT_RESOLVE)
    text = launcher(name, python=sys.executable, library=machine.library, root=machine.root, control=machine.control)
    return text.encode()


def _request(machine: Machine, url: str, options: dict[str, str]) -> bytes:
    data = options.get("-d", options.get("--data", options.get("--data-raw")))
    method = options.get("-X", options.get("--request"))
    if not machine.confined:
        url = re.sub(r"//(localhost|127\.0\.0\.1)", f"//{machine.ask({'op': 'machine'})['addresses'][0]}", url)
    request = urllib.request.Request(url, data=data.encode() if data else None, method=method)  # noqa: S310 - own machine
    for header in options.get("-H", "").splitlines():
        key, _, value = header.partition(":")
        request.add_header(key.strip(), value.strip())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as response:
            content: bytes = response.read()
    except urllib.error.HTTPError as error:
        if "-f" in options or "--fail" in options:
            raise ProgramError(f"(22) The requested URL returned error: {error.code}", _HTTP_ERROR) from error
        return error.read()
    except OSError as error:
        raise ProgramError(f"(7) Failed to connect: {error}", _CANNOT_CONNECT) from error
    return content


def _write(name: str, content: bytes) -> None:
    try:
        Path(name).write_bytes(content)
    except OSError as error:
        raise ProgramError(f"(23) {name}: {error.strerror}", 23) from error
