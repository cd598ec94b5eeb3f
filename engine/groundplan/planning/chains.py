"""A task graph in few words: for each instance, which course it takes and what its first step waits for.

Instances that go through the same steps share one `Course`; a `Task` is made when somebody asks for it, since a
large graph is walked once and most of its tasks differ in their number and instance only. `graphs` builds these.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar, overload

from groundplan.model.deployment import InstanceState
from groundplan.model.graph import RelationshipRef, Task, TaskKind
from groundplan.model.ids import InstanceId
from groundplan.model.values import Data

Item = TypeVar("Item")
Waits = tuple[int, ...]
_BEGIN: Final = itemgetter(0)


class Draft(NamedTuple):
    """A task that has no number and no instance yet; the fields are those of `Task`."""

    kind: TaskKind
    operation: str = ""
    before: InstanceState | None = None
    after: InstanceState | None = None
    relationship: RelationshipRef | None = None


Step = Sequence[Draft]
"""Tasks that run side by side; the next step of the chain starts after all of them."""


class Course(NamedTuple):
    """Steps one after the other, without the empty ones.

    Attributes:
        sizes: how many tasks each step has.
    """

    drafts: Sequence[Draft]
    sizes: Sequence[int]


def course(steps: Sequence[Step]) -> Course:
    """Return steps as a course."""
    return Course([draft for step in steps for draft in step], [len(step) for step in steps if step])


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """What all tasks of one workflow have in common; the fields are those of `Task`."""

    ignore_failure: bool = False
    retries: int | None = None
    arguments: Mapping[str, Data] = field(default_factory=dict)


class Chains:
    """The chains of a graph in the order of their numbers, which begin at `first`."""

    def __init__(self, first: int, manner: Manner) -> None:
        self.first = first
        self.end = first
        self.further: dict[int, Waits] = {}
        """What the tasks of a first step wait for."""
        self._manner = manner
        self._chains: list[tuple[int, InstanceId, Course]] = []

    def add(self, owner: InstanceId, taken: Course) -> None:
        """Append one instance's chain."""
        self._chains.append((self.end, owner, taken))
        self.end += len(taken.drafts)

    def owner(self, number: int) -> InstanceId:
        """Return the instance that a task is for."""
        return self._chains[self._place(number)][1]

    def _place(self, number: int) -> int:
        return bisect_right(self._chains, number, key=_BEGIN) - 1

    def tasks(self) -> Sequence[Task]:
        """Return the tasks."""
        return _Made(self, self._tasks_of)

    def waits(self) -> Sequence[Waits]:
        """Return, for each task, what it waits for."""
        return _Made(self, self._waits_of)

    def numbers_of(self, begin: int, operation: str) -> list[int]:
        """Return the numbers of a chain's tasks that run one of the node's own operations."""
        drafts = self._chains[self._place(begin)][2].drafts
        return [
            number
            for number, draft in enumerate(drafts, begin)
            if draft.operation == operation and draft.relationship is None
        ]

    def _tasks_of(self, place: int) -> list[Task]:
        begin, owner, taken = self._chains[place]
        manner = self._manner
        ignore_failure, retries, arguments = manner.ignore_failure, manner.retries, manner.arguments
        return [
            Task(
                number=number,
                kind=kind,
                instance=owner,
                operation=operation,
                relationship=relationship,
                before=before,
                after=after,
                ignore_failure=ignore_failure,
                retries=retries,
                arguments=arguments,
            )
            for number, (kind, operation, before, after, relationship) in enumerate(taken.drafts, begin)
        ]

    def _waits_of(self, place: int) -> list[Waits]:
        begin, _, taken = self._chains[place]
        heads, before, found = range(begin, begin + taken.sizes[0]), Waits(), list[Waits]()
        for size in taken.sizes:
            found += [before] * size
            before = tuple(range(begin, begin + size))
            begin += size
        found[: len(heads)] = [self.further.get(number, ()) for number in heads]
        return found

    def located(self, index: int) -> tuple[int, int]:
        """Return in which chain, and where in it, the task with an index stands."""
        number = self.first + index
        place = self._place(number)
        return place, number - self._chains[place][0]

    def __len__(self) -> int:
        return len(self._chains)


class _Made(Sequence[Item]):
    """One item for each task, made chain by chain when asked for."""

    def __init__(self, chains: Chains, of_chain: Callable[[int], list[Item]]) -> None:
        self._chains = chains
        self._of_chain = of_chain

    def __len__(self) -> int:
        return self._chains.end - self._chains.first

    def __iter__(self) -> Iterator[Item]:
        return chain.from_iterable(map(self._of_chain, range(len(self._chains))))

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Any:
        wanted = range(len(self))[index]
        if isinstance(wanted, range):
            return [self[each] for each in wanted]
        place, offset = self._chains.located(wanted)
        return self._of_chain(place)[offset]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(_same, self, other))

    __hash__ = None  # type: ignore[assignment]


def _same(one: object, other: object) -> bool:
    return one == other
