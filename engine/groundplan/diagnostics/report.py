"""The collector that every reading function is handed: it takes faults and lets the reading go on."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from groundplan.diagnostics.diagnostic import Diagnostic, Fault, Place
from groundplan.diagnostics.span import Sources


class Report:
    """The faults found so far in a set of sources."""

    def __init__(self, sources: Sources | None = None) -> None:
        self.sources = sources or Sources()
        self._found: dict[tuple[str, int, str, str], Diagnostic] = {}
        self._silent: frozenset[Fault] = frozenset()
        self._worded: Callable[[Diagnostic], Diagnostic] | None = None

    @contextmanager
    def silenced(self, faults: Iterable[Fault]) -> Iterator[None]:
        """Drop these kinds of faults for a while: they would only follow from one that was told already."""
        before, self._silent = self._silent, self._silent | frozenset(faults)
        try:
            yield
        finally:
            self._silent = before

    @contextmanager
    def worded(self, reword: Callable[[Diagnostic], Diagnostic]) -> Iterator[None]:
        """Tell faults in other words for a while: those of the text that holds them, for example."""
        before, self._worded = self._worded, reword
        try:
            yield
        finally:
            self._worded = before

    def add(self, diagnostic: Diagnostic) -> None:
        """Take a fault; the same one told twice counts once."""
        if diagnostic.fault in self._silent:
            return
        if self._worded is not None:
            diagnostic = self._worded(diagnostic)
        key = (diagnostic.fault.code, diagnostic.at, diagnostic.label, diagnostic.path)
        self._found.setdefault(key, diagnostic)

    def tell(
        self,
        fault: Fault,
        at: int,
        label: str,
        *,
        path: str = "",
        places: tuple[Place, ...] = (),
        detail: str = "",
        fix: str = "",
        suggestion: str = "",
    ) -> None:
        """Take a fault by its parts (see `Diagnostic`)."""
        self.add(
            Diagnostic(
                fault=fault,
                at=at,
                label=label,
                path=path,
                places=places,
                detail=detail,
                fix=fix,
                suggestion=suggestion,
            )
        )

    def __len__(self) -> int:
        """Return how many faults were told so far."""
        return len(self._found)

    def __bool__(self) -> bool:
        """A report is one even while nothing was told."""
        return True

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Every fault, in the order of the sources and of the places in them."""
        return tuple(sorted(self._found.values(), key=lambda found: (found.at, found.fault.code, found.label)))

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The faults that forbid using the text."""
        return tuple(found for found in self.diagnostics if found.is_error)

    @property
    def has_errors(self) -> bool:
        """Whether the text cannot be used."""
        return any(found.is_error for found in self._found.values())
