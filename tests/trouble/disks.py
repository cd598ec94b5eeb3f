"""Disks of their own for tests: small ones, and ways to fill them."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ..proof.user import User


def fill_up(path: Path) -> None:
    """Write a file until the disk takes no more."""
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    if not file.write(b"\0" * size):
                        break
            except OSError:
                continue


@contextmanager
def mounted(*arguments: str | Path) -> Iterator[None]:
    """Have something mounted while the block runs; skip where that is not allowed."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("mounting takes root and mount(8)")
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mount refused: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(arguments[-1])], check=True)


@contextmanager
def small_disk(path: Path, *, kilobytes: int) -> Iterator[Path]:
    """Have a disk of its own in memory while the block runs."""
    path.mkdir()
    with mounted("-t", "tmpfs", "-o", f"size={kilobytes}k", "groundplan-test", path):
        yield path


@contextmanager
def read_only(user: User) -> Iterator[None]:
    """Have the home read-only while the block runs: by its mode, or for root by a mount."""
    if os.geteuid():
        user.home.chmod(0o500)
        try:
            yield
        finally:
            user.home.chmod(0o700)
        return
    with mounted("--bind", "-o", "ro", user.home, user.home):
        yield
