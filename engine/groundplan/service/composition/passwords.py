"""PasswordSecret: a node that makes a password and keeps it as a secret (spec 4.5)."""

import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from groundplan.model.execution import Outcome, Verdict
from groundplan.model.secret import SecretValue
from groundplan.model.values import FUNCTION_MARK, Data
from groundplan.runtime.children import ChildCall
from groundplan.sdk.errors import NonRecoverableError
from groundplan.state.store import Snapshot, Store, maker_key

_CLASSES: Final[Mapping[str, str]] = {
    "uppercase": string.ascii_uppercase,
    "lowercase": string.ascii_lowercase,
    "digits": string.digits,
    "symbols": string.punctuation + " ",
}
SHORTEST: Final = 6
_DONE: Final = Outcome(verdict=Verdict.SUCCEEDED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Passwords:
    """The operations of PasswordSecret."""

    store: Store
    clock: Callable[[], datetime]

    def validate(self, call: ChildCall) -> Outcome:
        """Refuse wishes that no password can meet."""
        _check(call.context.node.properties)
        return _DONE

    def create(self, call: ChildCall) -> Outcome:
        """Draw the password and keep it; one that this instance, or an adopted secret, has already is kept."""
        wishes, properties = call.context.node.properties, call.context.instance.runtime_properties
        _check(wishes)
        adopts = bool(wishes.get("use_secret_if_exists"))
        if adopts and not wishes.get("secret_name"):
            raise NonRecoverableError("use_secret_if_exists needs a secret_name.")
        name = str(wishes.get("secret_name") or _default_name(call))
        with self.store.transaction() as transaction:
            known = transaction.secret(name) is not None
            own = name in _made(transaction, call)
            if known and not own and not adopts:
                raise NonRecoverableError(f"There is a secret {name!r} already.")
            if not known:
                transaction.put_secret(name, SecretValue(text=draw(wishes)), self.clock())
                transaction.remember(call.deployment.id, maker_key(name), call.context.instance.id)
        properties["secret_name"] = name
        properties["adopted"] = known and not own
        properties["password"] = {FUNCTION_MARK: {"get_secret": name}}
        return _DONE

    def delete(self, call: ChildCall) -> Outcome:
        """Have the password forgotten with the outcome, unless the secret was there before.

        Not here: operations of others that look at this instance are led to the secret until the outcome is recorded.
        """
        with self.store.snapshot() as snapshot:
            made = _made(snapshot, call)
        call.context.instance.runtime_properties.clear()
        return Outcome(verdict=Verdict.SUCCEEDED, forgets=made)


def draw(wishes: Mapping[str, Data]) -> str:
    """Return a random password with at least the wished number of each class, shuffled."""
    allowed = {name: letters for name, letters in _CLASSES.items() if _count(wishes, name) >= 0}
    drawn = [secrets.choice(letters) for name, letters in allowed.items() for _ in range(_count(wishes, name))]
    every = "".join(allowed.values())
    drawn += [secrets.choice(every) for _ in range(int(wishes["length"]) - len(drawn))]
    secrets.SystemRandom().shuffle(drawn)
    return "".join(drawn)


def _default_name(call: ChildCall) -> str:
    return f"ps_{call.deployment.id}_{call.context.instance.id}"


def _made(snapshot: Snapshot, call: ChildCall) -> Sequence[str]:
    """Return the names of the secrets that an instance made, whether its attempts came to their end or not.

    Not from its runtime properties: scripts of a relationship may write those, and what is named here is deleted.
    """
    prefix, own = maker_key(""), call.context.instance.id
    noted = [key for key, maker in snapshot.remembered(call.deployment.id).items() if maker == own]
    # The default name holds the instance's id: nobody else's secret has it.
    return [_default_name(call), *(key.removeprefix(prefix) for key in noted if key.startswith(prefix))]


def _check(wishes: Mapping[str, Data]) -> None:
    length, counts = int(wishes["length"]), [_count(wishes, name) for name in _CLASSES]
    if length < SHORTEST:
        raise NonRecoverableError(f"A password of {length} characters is too short; at least {SHORTEST} are needed.")
    if min(counts) < -1:
        raise NonRecoverableError("uppercase, lowercase, digits and symbols are numbers from -1 on.")
    if max(counts) < 0:
        raise NonRecoverableError("Every class of characters is left out: nothing to make a password of.")
    if sum(count for count in counts if count > 0) > length:
        raise NonRecoverableError(f"The classes ask for more characters than the {length} of the password.")


def _count(wishes: Mapping[str, Data], name: str) -> int:
    return int(wishes.get(name) or 0)
