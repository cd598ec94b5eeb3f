"""A task graph in few words: for each instance, which course it takes and what its first step waits for.

Instances that go through the same steps share one `Course`; a `Task` is made when somebody asks for it, since a
large graph is walked once and most of its tasks differ in their number and instance only. `graphs` builds these.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple, NewType, TypeVar, overload

from groundplan.model.deployment import InstanceState
from groundplan.model.graph import RelationshipRef, Task, TaskKind
from groundplan.model.ids import InstanceId
from groundplan.model.values import Data

Item = TypeVar("Item")
Waits = tuple[int, ...]
Chain = NewType("Chain", int)
"""The tasks of one instance that takes a course: which one of its graph, counted from 0."""


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
        self.further: dict[Chain, Waits] = {}
        """What the tasks of a chain's first step wait for."""
        self._manner = manner
        self._firsts: list[int] = []
        self._owners: list[InstanceId] = []
        self._courses: list[Course] = []

    def add(self, owner: InstanceId, taken: Course) -> Chain:
        """Append one instance's chain."""
        self._firsts.append(self.end)
        self._owners.append(owner)
        self._courses.append(taken)
        self.end += len(taken.drafts)
        return Chain(len(self._courses) - 1)

    def owner(self, number: int) -> InstanceId:
        """Return the instance that a task is for."""
        return self._owners[self._chain_of(number)]

    def looks_ahead(self) -> bool:
        """Whether a task waits for one with a higher number; without that none can wait in a circle."""
        firsts = self._firsts
        return any(needed and max(needed) > firsts[each] for each, needed in self.further.items())

    def last_steps(self, chains: Iterable[Chain]) -> list[int]:
        """Return the numbers of the tasks of the last steps of chains."""
        firsts, courses = self._firsts, self._courses
        found: list[int] = []
        for each in chains:
            drafts, sizes = courses[each]
            end = firsts[each] + len(drafts)
            if sizes[-1] == 1:
                found.append(end - 1)
            else:
                found += range(end - sizes[-1], end)
        return found

    def numbers_of(self, chain: Chain, operation: str) -> list[int]:
        """Return the numbers of a chain's tasks that run one of the node's own operations."""
        return [
            number
            for number, draft in enumerate(self._courses[chain].drafts, self._firsts[chain])
            if draft.operation == operation and draft.relationship is None
        ]

    def tasks(self) -> Sequence[Task]:
        """Return the tasks."""
        return _Made(self, self._tasks_of)

    def waits(self) -> Sequence[Waits]:
        """Return, for each task, what it waits for."""
        return _Made(self, self._waits_of)

    def _tasks_of(self, chain: Chain) -> list[Task]:
        owner, manner = self._owners[chain], self._manner
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
            for number, (kind, operation, before, after, relationship) in enumerate(
                self._courses[chain].drafts, self._firsts[chain]
            )
        ]

    def _waits_of(self, chain: Chain) -> list[Waits]:
        begin, before, found = self._firsts[chain], self.further.get(chain, ()), list[Waits]()
        for size in self._courses[chain].sizes:
            found += [before] * size
            before = tuple(range(begin, begin + size))
            begin += size
        return found

    def located(self, index: int) -> tuple[Chain, int]:
        """Return in which chain, and where in it, the task with an index stands."""
        number = self.first + index
        chain = self._chain_of(number)
        return chain, number - self._firsts[chain]

    def _chain_of(self, number: int) -> Chain:
        return Chain(bisect_right(self._firsts, number) - 1)

    def all(self) -> Iterable[Chain]:
        """Return every chain."""
        return map(Chain, range(len(self._courses)))


class _Made(Sequence[Item]):
    """One item for each task, made chain by chain when asked for."""

    def __init__(self, chains: Chains, of_chain: Callable[[Chain], list[Item]]) -> None:
        self._chains = chains
        self._of_chain = of_chain

    def __len__(self) -> int:
        return self._chains.end - self._chains.first

    def __iter__(self) -> Iterator[Item]:
        return chain.from_iterable(map(self._of_chain, self._chains.all()))

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Any:
        wanted = range(len(self))[index]
        if isinstance(wanted, range):
            return [self[each] for each in wanted]
        found, offset = self._chains.located(wanted)
        return self._of_chain(found)[offset]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(_same, self, other))

    __hash__ = None  # type: ignore[assignment]


def _same(one: object, other: object) -> bool:
    return one == other
