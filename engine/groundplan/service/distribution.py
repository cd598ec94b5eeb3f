"""Whether executions are driven by Temporal, and where it is: read from the environment, nowhere else.

Secrets stay in files: a variable names the path of a key, never the key.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from groundplan.diagnostics.trouble import UsageError
from groundplan.runtime.temporal.address import Address
from groundplan.runtime.temporal.messages import DEFAULT_QUEUE, QUEUE_NAME, Timing

ADDRESS_VARIABLE: Final = "GROUNDPLAN_TEMPORAL_ADDRESS"
NAMESPACE_VARIABLE: Final = "GROUNDPLAN_TEMPORAL_NAMESPACE"
TLS_VARIABLE: Final = "GROUNDPLAN_TEMPORAL_TLS"
CA_VARIABLE: Final = "GROUNDPLAN_TEMPORAL_TLS_CA"
CERTIFICATE_VARIABLE: Final = "GROUNDPLAN_TEMPORAL_TLS_CERT"
KEY_VARIABLE: Final = "GROUNDPLAN_TEMPORAL_TLS_KEY"
SERVER_NAME_VARIABLE: Final = "GROUNDPLAN_TEMPORAL_TLS_SERVER_NAME"
API_KEY_VARIABLE: Final = "GROUNDPLAN_TEMPORAL_API_KEY_FILE"
SILENCE_VARIABLE: Final = "GROUNDPLAN_TEMPORAL_SILENCE"
BUILD_VARIABLE: Final = "GROUNDPLAN_WORKER_BUILD"
_FILES: Final = (CA_VARIABLE, CERTIFICATE_VARIABLE, KEY_VARIABLE, API_KEY_VARIABLE)
_SHORTEST: Final = 2.0
"""Workers beat once a second."""
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"", "0", "false", "no", "off"})


def read_address(environment: Mapping[str, str]) -> Address | None:
    """Return the Temporal service that the environment names, or None when executions are driven without one.

    Raises:
        UsageError: a setting is malformed, or its file is not there.
    """
    target = environment.get(ADDRESS_VARIABLE, "").strip()
    if not target:
        return None
    host, _, port = target.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"{ADDRESS_VARIABLE} is {target!r}.", fix="Write host and port, for example temporal:7233.")
    files = {name: _file(environment, name) for name in _FILES}
    if (files[CERTIFICATE_VARIABLE] is None) is not (files[KEY_VARIABLE] is None):
        raise UsageError(f"{CERTIFICATE_VARIABLE} and {KEY_VARIABLE} go together: only one of them is set.")
    return Address(
        target=target,
        namespace=environment.get(NAMESPACE_VARIABLE, "").strip() or "default",
        tls=_switch(environment, TLS_VARIABLE) or any(files.values()),
        ca=files[CA_VARIABLE],
        certificate=files[CERTIFICATE_VARIABLE],
        key=files[KEY_VARIABLE],
        server_name=environment.get(SERVER_NAME_VARIABLE, "").strip(),
        api_key=files[API_KEY_VARIABLE],
    )


def read_timing(environment: Mapping[str, str]) -> Timing:
    """Return how long a worker may be silent until it is taken for dead, and what follows from that.

    Raises:
        UsageError: the environment says no number of seconds, or less than 2.
    """
    text = environment.get(SILENCE_VARIABLE, "").strip()
    if not text:
        return Timing()
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not _SHORTEST <= seconds < float("inf"):
        raise UsageError(f"{SILENCE_VARIABLE} is {text!r}.", fix=f"Write seconds, at least {_SHORTEST:g}.")
    return Timing(silence=seconds, keeper_patience=seconds)


def read_queues(texts: Sequence[str]) -> Sequence[str]:
    """Return the queues of `--queues eu,us`, each once; `default` when none is named.

    Raises:
        UsageError: one is no name of a queue.
    """
    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    for name in names:
        if not QUEUE_NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} is not the name of a queue.",
                fix="Use letters, digits, dots, dashes and underscores, at most 63.",
            )
    return list(dict.fromkeys(names)) or [DEFAULT_QUEUE]


def _file(environment: Mapping[str, str], name: str) -> Path | None:
    text = environment.get(name, "").strip()
    if not text:
        return None
    path = Path(text).expanduser()
    if not path.is_file():
        raise UsageError(f"{name} names {text}, which is no file.")
    return path


def _switch(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "").strip().lower()
    if text in _TRUE | _FALSE:
        return text in _TRUE
    raise UsageError(f"{name} is {text!r}.", fix="Write true or false.")
