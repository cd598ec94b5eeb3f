"""A home that is damaged, read-only or full: clear words, the right exit code, and nothing lost or made worse."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ..proof.user import User, user_in
from .marks import plant

SHOP = """
    tosca_definitions_version: cloudify_dsl_1_4
    imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
    node_templates:
      shop:
        type: groundplan.nodes.Nop
        properties: {values: {address: {get_secret: address}}}
    capabilities:
      address: {value: {get_attribute: [shop, address]}}
"""
READS = (
    ["deployments", "list"],
    ["deployments", "capabilities", "shop"],
    ["events", "list", "-d", "shop"],
    ["secrets", "get", "address", "--reveal"],
)


@pytest.fixture
def shopper(user: User) -> User:
    """A user with a secret, and a deployment that is installed and holds it."""
    user.ok("secrets", "create", "address", "-s", "192.0.2.44")
    user.upload("shop", SHOP)
    user.ok("deployments", "create", "shop", "-b", "shop")
    user.install("shop")
    return user


def store(user: User) -> Path:
    return user.home / "state.db"


def asked(user: User) -> tuple[list[int], str]:
    """The exit codes and all words of some reads; no traceback among them."""
    done = [user.run(*command) for command in READS]
    words = "".join(item.stdout + item.stderr for item in done)
    assert "Traceback" not in words
    return [item.returncode for item in done], words


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:100],
        lambda content: b"",
        lambda content: b"\0" * len(content),
        lambda content: content[:4096] + os.urandom(len(content) - 4096),
    ],
    ids=["half", "head only", "empty", "zeros", "noise"],
)
def test_a_damaged_store_is_told_and_left_as_it_is(shopper: User, damage: object) -> None:
    assert callable(damage)
    before = damage(store(shopper).read_bytes())
    store(shopper).write_bytes(before)
    codes, words = asked(shopper)
    assert any(codes), "nothing was noticed"
    assert 70 not in codes
    assert "state.db" in words or "There is no" in words
    if before:
        assert store(shopper).read_bytes() == before


def test_a_sealed_value_that_was_moved_does_not_open(shopper: User) -> None:
    shopper.ok("secrets", "create", "other", "-s", "192.0.2.55")
    with sqlite3.connect(store(shopper)) as connection:
        connection.execute(
            "update secrets set sealed_value = (select sealed_value from secrets where name = 'other') "
            "where name = 'address'"
        )
    connection.close()
    words = shopper.refused(1, "secrets", "get", "address", "--reveal")
    assert "does not open" in words
    assert "192.0.2" not in words


@pytest.mark.parametrize("content", ["", "not a key", None], ids=["empty", "noise", "missing"])
def test_without_its_key_a_store_stays_shut(shopper: User, content: str | None) -> None:
    key = shopper.home / "key"
    kept = key.rename(shopper.folder / "kept")
    if content is not None:
        key.write_text(content)
        key.chmod(0o600)
    words = shopper.refused(2, "deployments", "capabilities", "shop")
    assert str(key) in words
    assert content is not None or not key.exists(), "a new key was made for an old store"
    kept.rename(key)
    assert shopper.capabilities("shop") == {"address": "192.0.2.44"}


def test_a_key_that_others_may_read_is_refused(shopper: User) -> None:
    (shopper.home / "key").chmod(0o644)
    assert "chmod 600" in shopper.refused(2, "deployments", "list")


def test_another_homes_key_is_told(shopper: User, tmp_path: Path) -> None:
    stranger = user_in(tmp_path / "stranger")
    stranger.ok("secrets", "list")
    shutil.copy(stranger.home / "key", shopper.home / "key")
    words = shopper.refused(2, "deployments", "list")
    assert str(shopper.home / "key") in words
    assert "GROUNDPLAN_KEY" in words


def test_a_store_of_a_newer_program_is_left_alone(shopper: User) -> None:
    with sqlite3.connect(store(shopper)) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    connection.close()
    assert "newer" in shopper.refused(1, "deployments", "list")


def test_a_read_only_home(shopper: User) -> None:
    with read_only(shopper):
        words = shopper.refused(2, "secrets", "create", "x", "-s", "y")
        assert str(shopper.home) in words
        assert "GROUNDPLAN_HOME" in words
    assert {item["key"] for item in shopper.json("secrets", "list")} == {"address"}


def test_a_home_that_cannot_be_made(user: User) -> None:
    user.write("file", "")
    words = replace(user, home=user.folder / "file" / "home").refused(2, "deployments", "list")
    assert "GROUNDPLAN_HOME" in words


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    user, marks = plant(tmp_path, seconds=0)
    with small_disk(tmp_path / "disk", kilobytes=3000) as disk:
        shutil.copytree(user.home, disk / "home")
        user = replace(user, home=disk / "home")
        user.ok("deployments", "create", "parent", "-b", "parent")
        marks.hold.touch()
        with user.running("executions", "start", "install", "-d", "parent") as process:
            marks.wait_for_begin()
            fill = disk / "fill"
            fill_up(fill)
            marks.hold.unlink()
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 1, errors
        assert "full" in errors
        assert "Traceback" not in errors
        fill.unlink()
        user.ok("executions", "resume", user.latest("parent")["id"])
        assert set(user.states("parent").values()) == {"started"}


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
