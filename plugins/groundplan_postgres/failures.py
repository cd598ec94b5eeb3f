"""What PostgreSQL refuses, and whether another attempt can help. Catching the library's exceptions is `client`'s
part.
"""

from typing import Final

from groundplan.sdk.errors import NonRecoverableError, OperationError, RecoverableError

# Appendix A of PostgreSQL's manual, "PostgreSQL Error Codes".
_PASSING_CLASSES: Final = frozenset({"08", "40", "53", "58", "XX"})
"""Connection exceptions, transaction rollback, insufficient resources, system error, internal error (a row changed by
two).
"""

_PASSING: Final = frozenset({"55006", "55P03", "57014", "57P01", "57P02", "57P03"})
"""Object in use, lock not available, query cancelled, admin shutdown, crash shutdown, cannot connect now."""

DEPENDENT_OBJECTS: Final = "2BP01"


class RefusedError(NonRecoverableError):
    """The server refused, and would refuse the same statement again; `code` is the SQLSTATE."""

    def __init__(self, message: str, *, code: str, detail: str = "") -> None:
        super().__init__(message, detail=detail)
        self.code = code


def judge(act: str, code: str, message: str, detail: str = "") -> OperationError:
    """The sdk's error for the server's answer to `act`."""
    said = f"{act}: {message}"
    if code in _PASSING or code[:2] in _PASSING_CLASSES:
        return RecoverableError(said, detail=detail)
    return RefusedError(said, code=code, detail=detail)
