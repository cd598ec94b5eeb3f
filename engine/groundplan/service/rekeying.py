"""Changes the key that seals the store; which key a home has is `state.keys`' business."""

import os
from datetime import datetime

from groundplan.diagnostics.trouble import Conflict, UsageError
from groundplan.runtime.liveness import is_alive, shown_driver
from groundplan.state.keys import KEY_BYTES, KEY_VARIABLE, HomeKeys
from groundplan.state.store import Store


def rekey(store: Store, keys: HomeKeys, new: bytes | None, now: datetime) -> int:
    """Seal everything with another key, in one transaction, and return how many rows that were.

    The new key lies beside the old one before the transaction commits: whoever opens the store after a kill, at any
    moment, finds the one that fits.

    Args:
        new: the key, or None for a random one, which the home's key file gets.

    Raises:
        UsageError: the environment gives the key, and no new one was named.
        Conflict: an execution is being driven.
    """
    if new is None and keys.is_given:
        raise UsageError(
            f"The key comes from {KEY_VARIABLE}, so that there is no file to put a new one into.",
            fix="Name a file that holds the new key: groundplan secrets rekey --new-key-file FILE",
        )
    key = new or os.urandom(KEY_BYTES)
    with store.transaction() as transaction:
        for execution in transaction.executions():
            lease = transaction.lease(execution.id)
            if lease is not None and is_alive(lease, now):
                raise Conflict(
                    f"Execution {execution.id} is being driven on {shown_driver(lease.driver)}: the key cannot change.",
                    fix=f"Wait for it: groundplan events list {execution.id} --tail",
                )
        count = transaction.rekey(key)
        if not keys.is_given:
            keys.prepare(key)
    if not keys.is_given:
        keys.settle()
    return count
