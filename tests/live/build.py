"""Fetches and builds the real parts that the tests marked `live` compare the sandbox with.

Go programs are built at a pinned version into a cache outside the checkout and kept until the pin changes; OpenSSH's
server comes from the system's packages, and Terraform from whoever runs this. Standard library only, so that it runs
before the project is installed. It starts no server: the fixtures of the tests do. A part that cannot be had ends the
run with exit code 1 and words that say what to install.

    python tests/live/build.py            all parts
    python tests/live/build.py minio      one part
    python tests/live/build.py --list     what there is, and whether it is ready
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRESS_EVERY = 5.0
"""Seconds between two lines of progress."""

POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian's hook that is asked before a package starts its service; exit code 101 forbids it."""


class PartMissingError(Exception):
    """A part cannot be made ready here; the message says what to do."""


def say(text: str) -> None:
    print(f"live: {text}", flush=True)


def cache_folder() -> Path:
    """Where built programs are kept: `$XDG_CACHE_HOME/groundplan/live`, by default below `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "groundplan" / "live"


def run_with_progress(label: str, command: list[str], environment: dict[str, str], log: Path) -> None:
    """Runs a command, its output in `log`, with a line of progress every few seconds; PartMissingError shows the
    log's end.
    """
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            code = wait(process, label, started, log)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if code != 0:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise PartMissingError(f"{label}: `{' '.join(command)}` ended with exit code {code}:\n{end}")
    say(f"{label}: done in {time.monotonic() - started:.0f} s")


def wait(process: subprocess.Popen[bytes], label: str, started: float, log: Path) -> int:
    while True:
        try:
            return process.wait(PROGRESS_EVERY)
        except subprocess.TimeoutExpired:
            lines = log.read_bytes().count(b"\n")
            say(f"{label}: {time.monotonic() - started:.0f} s, {lines} lines in {log}")


@dataclass(frozen=True, kw_only=True)
class GoProgram:
    """A program built by `go install PACKAGE@VERSION`."""

    name: str
    package: str
    version: str
    go: str
    """The oldest Go that builds it, for the message."""

    @property
    def binary(self) -> Path:
        return cache_folder() / "bin" / self.name

    @property
    def stamp(self) -> Path:
        """Names what the kept binary was built from."""
        return cache_folder() / "bin" / f"{self.name}.version"

    def ready(self) -> bool:
        return self.binary.exists() and self.stamp.exists() and self.stamp.read_text() == self.source

    @property
    def source(self) -> str:
        return f"{self.package}@{self.version}"

    def make(self) -> None:
        if shutil.which("go") is None:
            raise PartMissingError(f"{self.name}: no `go` on the PATH; install Go {self.go} or newer")
        folder = cache_folder()
        with tempfile.TemporaryDirectory(dir=folder) as made:
            environment = {**os.environ, "GOBIN": made, "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
            command = ["go", "install", "-v", "-trimpath", "-ldflags", "-s -w", self.source]
            if nice := shutil.which("nice"):
                command = [nice, "-n", "10", *command]
            say(f"{self.name}: building {self.source}")
            run_with_progress(self.name, command, environment, folder / f"{self.name}.log")
            self.binary.parent.mkdir(parents=True, exist_ok=True)
            self.stamp.unlink(missing_ok=True)
            os.replace(Path(made) / self.name, self.binary)
            self.stamp.write_text(self.source)


@dataclass(frozen=True, kw_only=True)
class GoModule:
    """The tools of a Go module in a folder beside this file, whose go.mod and go.sum pin them together.

    Building them in one go compiles once what they share.
    """

    name: str
    go: str
    programs: tuple[tuple[str, str], ...]
    """Each program as its package calls it, and as it is kept."""
    version_of: str
    """The module whose version the programs are told by the linker, for they know none when built as dependencies."""

    @property
    def folder(self) -> Path:
        return Path(__file__).resolve().parent / self.name.replace("-", "_")

    @property
    def stamp(self) -> Path:
        return cache_folder() / "bin" / f"{self.name}.version"

    @property
    def source(self) -> str:
        pins = b"".join((self.folder / name).read_bytes() for name in ("go.mod", "go.sum"))
        return hashlib.sha256(pins + " ".join(self._flags).encode()).hexdigest()

    def ready(self) -> bool:
        built = all((cache_folder() / "bin" / kept).exists() for _, kept in self.programs)
        return built and self.stamp.exists() and self.stamp.read_text() == self.source

    def make(self) -> None:
        if shutil.which("go") is None:
            raise PartMissingError(f"{self.name}: no `go` on the PATH; install Go {self.go} or newer")
        folder = cache_folder()
        with tempfile.TemporaryDirectory(dir=folder) as made:
            environment = {**os.environ, "GOBIN": made, "GOFLAGS": "-mod=readonly -buildvcs=false", "CGO_ENABLED": "0"}
            command = ["go", "install", "-C", str(self.folder), "-v", *self._flags, "tool"]
            if nice := shutil.which("nice"):
                command = [nice, "-n", "10", *command]
            say(f"{self.name}: building the tools of {self.folder}")
            run_with_progress(self.name, command, environment, folder / f"{self.name}.log")
            self.stamp.parent.mkdir(parents=True, exist_ok=True)
            self.stamp.unlink(missing_ok=True)
            for built, kept in self.programs:
                os.replace(Path(made) / built, folder / "bin" / kept)
            self.stamp.write_text(self.source)

    @property
    def _flags(self) -> list[str]:
        found = re.search(rf"^\s*{re.escape(self.version_of)} (v(\d+)\.(\d+)\S*)", self._go_mod, re.MULTILINE)
        if found is None:
            raise PartMissingError(f"{self.name}: {self.folder}/go.mod requires no {self.version_of}")
        told = {"gitVersion": found[1], "gitMajor": found[2], "gitMinor": found[3], "gitTreeState": "clean"}
        linked = [f"-X k8s.io/component-base/version.{key}={value}" for key, value in told.items()]
        # Nobody debugs these: without the debugger's tables they compile faster and are smaller.
        return ["-trimpath", "-gcflags=all=-dwarf=false", f"-ldflags=-s -w {' '.join(linked)}"]

    @property
    def _go_mod(self) -> str:
        return (self.folder / "go.mod").read_text()


@dataclass(frozen=True, kw_only=True)
class SystemPackage:
    """A program that the system's package manager installs; it is installed here as root on Debian, and asked for
    elsewhere.
    """

    name: str
    package: str
    program: Path

    def ready(self) -> bool:
        return self.program.exists()

    def make(self) -> None:
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            raise PartMissingError(
                f"{self.name}: {self.program} is not there, and only root on Debian or Ubuntu may install it "
                f"from here; install the package `{self.package}`"
            )
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        log = cache_folder() / f"{self.name}.log"
        run_with_progress(f"{self.name} (package lists)", ["apt-get", "update"], environment, log)
        install = ["apt-get", "install", "-y", "--no-install-recommends", self.package]
        with services_stay_down():
            run_with_progress(self.name, install, environment, log)
        if not self.ready():
            raise PartMissingError(f"{self.name}: the package {self.package} brought no {self.program}")


@contextmanager
def services_stay_down() -> Iterator[None]:
    """Forbids packages to start their services meanwhile, unless the machine already has a rule of its own."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


@dataclass(frozen=True, kw_only=True)
class OwnProgram:
    """A program that neither Go nor the system's packages bring: whoever runs the tests installs it."""

    name: str
    programs: tuple[str, ...]
    page: str

    def ready(self) -> bool:
        return any(map(shutil.which, self.programs))

    def make(self) -> None:
        raise PartMissingError(f"{self.name}: no `{'` or `'.join(self.programs)}` on the PATH; install it: {self.page}")


Part = GoProgram | GoModule | SystemPackage | OwnProgram

# MinIO's releases carry dates, which Go does not read as versions: the pin is the pseudo-version of a commit.
PARTS: tuple[Part, ...] = (
    SystemPackage(name="openssh", package="openssh-server", program=Path("/usr/sbin/sshd")),
    GoProgram(name="minio", package="github.com/minio/minio", version="v0.0.0-20260212201848-7aac2a2c5b7c", go="1.24"),
    GoProgram(name="temporal", package="github.com/temporalio/cli/cmd/temporal", version="v1.5.1", go="1.25"),
    OwnProgram(
        name="terraform", programs=("terraform", "tofu"), page="https://developer.hashicorp.com/terraform/install"
    ),
    GoProgram(name="helm", package="helm.sh/helm/v3/cmd/helm", version="v3.22.0", go="1.25"),
    GoModule(
        name="control-plane",
        go="1.24",
        programs=(
            ("server", "etcd"),
            *(
                (name, name)
                for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok")
            ),
        ),
        version_of="k8s.io/kubernetes",
    ),
)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two builds at once would write one cache: the second waits for the first."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another build is running; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_ready(part: Part) -> str | None:
    """Makes one part ready; what is wrong, if it cannot be."""
    if part.ready():
        say(f"{part.name}: ready")
        return None
    try:
        part.make()
    except (PartMissingError, OSError) as trouble:
        return str(trouble)
    return None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Fetches and builds the real parts of the live tests.")
    names = [part.name for part in PARTS]
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(names)}; all when none is named")
    parser.add_argument("--list", action="store_true", help="show the parts and whether they are ready")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.parts) - set(names):
        parser.error(f"no part named {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    parts = [part for part in PARTS if not chosen.parts or part.name in chosen.parts]
    if chosen.list:
        for part in parts:
            print(f"{part.name}\t{'ready' if part.ready() else 'missing'}")
        return 0
    with one_at_a_time():
        faults = [fault for fault in map(make_ready, parts) if fault]
    for fault in faults:
        print(f"live: missing: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
