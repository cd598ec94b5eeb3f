"""Of the real control plane: its programs are named when they are missing, tell why they end, and end together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from groundplan_sandbox.control_plane.cluster import RealCluster
from groundplan_sandbox.control_plane.programs import NAMES, ProgramsMissingError, find_programs

from ...live import programs
from ...proof.user import descendants, eventually

SERVE = """
import sys, time
from pathlib import Path
from groundplan_sandbox.control_plane.cluster import RealCluster
from groundplan_sandbox.control_plane.programs import find_programs
cluster = RealCluster(find_programs(Path(sys.argv[1])), "small", Path(sys.argv[2]))
cluster.start([("127.0.0.1", 0)], [])
print("started", flush=True)
time.sleep(600)
"""


@pytest.fixture
def stand_ins(tmp_path: Path) -> Path:
    """Programs that end at once, with a word."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_text("#!/bin/sh\necho I am $(basename $0) >&2\nexit 3\n")
        (folder / name).chmod(0o755)
    return folder


def test_missing_programs_are_named(stand_ins: Path) -> None:
    (stand_ins / "kwok").unlink()
    (stand_ins / "etcd").chmod(0o644)
    with pytest.raises(ProgramsMissingError, match="has no program etcd, kwok"):
        find_programs(stand_ins)


def test_a_program_that_ends_says_why(stand_ins: Path, tmp_path: Path) -> None:
    cluster = RealCluster(find_programs(stand_ins), "small", tmp_path / "small")
    with pytest.raises(OSError, match=r"(etcd|kube-apiserver) ended: I am \1"):
        cluster.start([("127.0.0.1", 0)], [])
    assert not cluster.running
    cluster.delete()
    assert not (tmp_path / "small").exists()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with a cluster that serves."""
    command = [sys.executable, "-P", "-c", SERVE, str(programs.folder()), str(tmp_path / "small")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def programs_of(process: subprocess.Popen[str]) -> dict[int, str]:
    """The running programs below a process, by id."""
    found = {pid: Path(line.split()[0]).name for pid, line in descendants(process.pid).items() if line}
    return {pid: name for pid, name in found.items() if name in NAMES}


@pytest.mark.live
def test_nothing_outlives_a_killed_sandbox(serving: subprocess.Popen[str]) -> None:
    running = programs_of(serving)
    assert sorted(running.values()) == sorted(NAMES)
    serving.kill()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in running), what="the end of every program")


@pytest.mark.live
def test_nothing_outlives_a_killed_keeper(serving: subprocess.Popen[str]) -> None:
    running = programs_of(serving)
    [keeper] = [pid for pid, line in descendants(serving.pid).items() if "control_plane.keeper" in line]
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: not programs_of(serving), what="the end of every program")
    assert running


@pytest.mark.live
def test_a_control_plane_that_lost_a_part_is_down(tmp_path: Path) -> None:
    cluster = RealCluster(find_programs(programs.folder()), "small", tmp_path / "small")
    cluster.start([("127.0.0.1", 0)], [])
    [scheduler] = [
        pid for pid, line in descendants(os.getpid()).items() if f"{tmp_path}" in line and "scheduler" in line
    ]
    os.kill(scheduler, signal.SIGKILL)
    eventually(lambda: not cluster.running, what="the end of the cluster")
    cluster.start([("127.0.0.1", 0)], [])
    assert cluster.running
    cluster.delete()
