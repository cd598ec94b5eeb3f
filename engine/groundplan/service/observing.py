"""What is watched, as the environment says, and the observer that does it; its libraries are loaded only then.

Off unless GROUNDPLAN_OBSERVE says otherwise. Where traces and metrics go is said by OpenTelemetry's own variables.
"""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from groundplan.diagnostics.suggest import suggest
from groundplan.diagnostics.trouble import UsageError
from groundplan.model.execution import Execution
from groundplan.model.ids import ExecutionId
from groundplan.runtime.observer import Observer
from groundplan.service.assembly import OBSERVE_VARIABLE
from groundplan.state.store import Store

LOG_FILE_VARIABLE: Final = "GROUNDPLAN_LOG_FILE"
_PROTOCOL_VARIABLE: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
_PROTOCOL: Final = "http/protobuf"
_SIGNALS: Final = ("logs", "traces", "metrics")
_OFF: Final = frozenset({"", "0", "off", "no", "false", "none"})
_LIBRARIES: Final = ("structlog", "opentelemetry")


@dataclass(frozen=True, kw_only=True, slots=True)
class Observing:
    """What is watched.

    Attributes:
        log_file: None for standard error.
    """

    signals: frozenset[str]
    log_file: Path | None


def read_observing(environment: Mapping[str, str]) -> Observing | None:
    """Return what the environment wants watched, or None for nothing.

    Raises:
        UsageError: it says what is no signal, what is needed is not installed, or a setting is not served.
    """
    text = environment.get(OBSERVE_VARIABLE, "").strip().lower()
    if text in _OFF:
        return None
    signals = frozenset(found for word in text.split(",") for found in _signals(word.strip()))
    if not all(importlib.util.find_spec(name) for name in _LIBRARIES):
        raise UsageError(
            f"{OBSERVE_VARIABLE} is set, and the libraries for watching are not installed.",
            fix="Install them: pip install 'groundplan[observe]'.",
        )
    protocol = environment.get(_PROTOCOL_VARIABLE, _PROTOCOL)
    if protocol != _PROTOCOL and signals - {"logs"}:
        raise UsageError(f"{_PROTOCOL_VARIABLE} is {protocol!r}.", fix=f"Groundplan speaks {_PROTOCOL}: unset it.")
    return Observing(signals=signals, log_file=_log_file(environment))


def _signals(word: str) -> tuple[str, ...]:
    if word in ("all", "1", "on", "true", "yes"):
        return _SIGNALS
    if word in _SIGNALS:
        return (word,)
    near = suggest(word, (*_SIGNALS, "all"))
    fix = f"Did you mean {near!r}?" if near else "Write logs, traces, metrics, several of them with commas, or all."
    raise UsageError(f"{OBSERVE_VARIABLE}: {word!r} is nothing that can be watched.", fix=fix)


def _log_file(environment: Mapping[str, str]) -> Path | None:
    text = environment.get(LOG_FILE_VARIABLE, "")
    if not text:
        return None
    path = Path(text).expanduser()
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"{LOG_FILE_VARIABLE}: {text} is no file in a folder that exists.")
    return path


def make_observer(observing: Observing, store: Store, say: Callable[[str], None]) -> Observer:
    """Return what makes logs, traces and metrics.

    Raises:
        UsageError: the log file cannot be opened.
    """

    def find(id_: ExecutionId) -> Execution | None:
        with store.snapshot() as snapshot:
            return snapshot.execution(id_)

    signals = observing.signals
    try:
        observer: Observer = importlib.import_module("groundplan.runtime.watching.observe").observe(
            logs="logs" in signals,
            traces="traces" in signals,
            metrics="metrics" in signals,
            log_file=observing.log_file,
            find=find,
            say=say,
        )
    except OSError as error:
        raise UsageError(f"{LOG_FILE_VARIABLE}: {observing.log_file} cannot be opened: {error.strerror}.") from None
    return observer
