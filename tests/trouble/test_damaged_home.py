"""A home that is damaged, read-only or full: clear words, the right exit code, and nothing lost or made worse."""

import os
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from ..proof.user import User, user_in
from .disks import read_only
from .homes import settle

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
    secret = ["secrets", "create", "address", "-s", "192.0.2.44"]
    create = ["deployments", "create", "shop", "-b", "shop"]
    settle(user, {"shop": SHOP}, secret, create, ["executions", "start", "install", "-d", "shop"])
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
