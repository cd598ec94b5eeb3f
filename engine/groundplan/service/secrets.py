"""Secrets by name: create, import, update, list, get, delete. What they hold is sealed by the store."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from groundplan.diagnostics.trouble import Conflict, NotFound, UsageError
from groundplan.model.secret import SecretValue
from groundplan.model.values import is_text
from groundplan.state.store import Store, StoredSecret, Transaction

_NAME: Final = re.compile(r"[A-Za-z0-9._~-]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """What an import did, by name."""

    created: Sequence[str] = field(default_factory=list)
    updated: Sequence[str] = field(default_factory=list)
    unchanged: Sequence[str] = field(default_factory=list)


def create(store: Store, name: str, text: str, now: datetime, *, update: bool = False) -> None:
    """Keep a text under a new name.

    Raises:
        UsageError: the name or the text cannot be used.
        Conflict: there is such a secret, and `update` is not set.
    """
    _check(name, text)
    with store.transaction() as transaction:
        if not update and transaction.secret(name) is not None:
            raise Conflict(f"There is a secret {name!r} already.", fix="Change it with: groundplan secrets update")
        transaction.put_secret(name, SecretValue(text=text), now)


def change(store: Store, name: str, text: str, now: datetime) -> None:
    """Give an existing secret another text.

    Raises:
        NotFound: there is no such secret.
    """
    _check(name, text)
    with store.transaction() as transaction:
        _existing(transaction, name)
        transaction.put_secret(name, SecretValue(text=text), now)


def get(store: Store, name: str) -> SecretValue:
    """Return a secret with its value.

    Raises:
        NotFound: there is no such secret.
    """
    with store.snapshot() as snapshot:
        found = snapshot.secret(name)
    if found is None:
        raise NotFound(f"There is no secret {name!r}.")
    return found


def delete(store: Store, name: str) -> None:
    """Forget a secret.

    Raises:
        NotFound: there is no such secret.
    """
    with store.transaction() as transaction:
        _existing(transaction, name)
        transaction.delete_secret(name)


def listing(store: Store) -> Sequence[StoredSecret]:
    """Return all secrets without their values, by name."""
    with store.snapshot() as snapshot:
        return snapshot.secrets()


def import_(store: Store, document: str, now: datetime, *, override: bool = False) -> Imported:
    """Take secrets from a JSON document: all of them, or none.

    Args:
        document: an object name -> text or JSON value, or the array that `cfy secrets export` writes
            (`[{"key": ..., "value": ...}]`).
        override: a secret that has another value gets the new one; without it that is a conflict.

    Raises:
        UsageError: the document is not of either form.
        Conflict: secrets of these names have other values.
    """
    wanted = dict(_entries(document))
    created, updated, unchanged, colliding = [], [], [], []
    with store.transaction() as transaction:
        for name, value in wanted.items():
            found = transaction.secret(name)
            if found is None:
                created.append(name)
            elif _same(found, value):
                unchanged.append(name)
                continue
            elif override:
                updated.append(name)
            else:
                colliding.append(name)
                continue
            transaction.put_secret(name, value, now)
        if colliding:
            raise Conflict(
                f"These secrets have other values already: {', '.join(colliding)}.",
                fix="Nothing was imported. Give them the new values with --override-collisions.",
            )
    return Imported(created=created, updated=updated, unchanged=unchanged)


def _entries(document: str) -> Iterator[tuple[str, SecretValue]]:
    try:
        content = json.loads(document)
    except ValueError as error:
        raise UsageError(f"The secrets are not JSON: {error}.") from None
    if isinstance(content, dict):
        pairs: list[tuple[Any, Any]] = list(content.items())
    elif isinstance(content, list) and all(isinstance(item, dict) and "key" in item for item in content):
        pairs = [_exported(item) for item in content]
    else:
        raise UsageError(
            "The secrets are neither an object name -> value nor the array that `cfy secrets export` writes."
        )
    for name, value in pairs:
        text = value if isinstance(value, str) else json.dumps(value)
        _check(name, text)
        yield name, SecretValue(text=text, is_document=isinstance(value, dict | list))


def _exported(item: Mapping[str, Any]) -> tuple[Any, Any]:
    if item.get("encrypted") is True:
        raise UsageError(
            f"Secret {item['key']!r} is encrypted with a passphrase.",
            fix="Export again with: cfy secrets export --non-encrypted",
        )
    return item["key"], item.get("value")


def _same(found: SecretValue, wanted: SecretValue) -> bool:
    if found.text == wanted.text:
        return True
    if not (found.is_document and wanted.is_document):
        return False
    return bool(json.loads(found.text) == json.loads(wanted.text))


def _check(name: str, text: str | None) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a secret.", fix="Use letters, digits, hyphens, dots, underscores and ~."
        )
    if not text or text == "null":
        raise UsageError(f"Secret {name!r} has no value.")
    if not is_text(text):
        raise UsageError(f"Secret {name!r} holds characters that are no text in Unicode.")


def _existing(transaction: Transaction, name: str) -> None:
    if transaction.secret(name) is None:
        raise NotFound(f"There is no secret {name!r}.")
