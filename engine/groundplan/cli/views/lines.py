"""Events as lines of text (spec 5.12)."""

from groundplan.diagnostics.visible import visible
from groundplan.model.execution import Event


def line(event: Event) -> str:
    """Return `TIME CFY|LOG <DEPLOYMENT> [INSTANCE.OPERATION] TEXT`."""
    stamp = event.at.strftime("%Y-%m-%d %H:%M:%S.") + f"{event.at.microsecond // 1000:03d}"
    kind = "LOG" if event.level else "CFY"
    text = f"{event.level.upper()}: {event.message}" if event.level else event.message
    return f"{stamp}  {kind} <{event.deployment}> {_where(event)}{visible(text)}"


def _where(event: Event) -> str:
    operation = event.operation.rpartition(".")[2]
    if event.instance is None:
        return ""
    if event.target is not None:
        return f"[{event.instance}->{event.target}|{operation}] "
    return f"[{event.instance}{f'.{operation}' if operation else ''}] "
