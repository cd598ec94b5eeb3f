"""The scheduler: what becomes ready when, and what follows in the end."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.model.execution import TaskState, Verdict
from groundplan.model.graph import Task, TaskGraph, TaskKind
from groundplan.model.ids import InstanceId
from groundplan.planning.advance import Progress, Standing, rebuild

OK, BAD = Verdict.SUCCEEDED, Verdict.FAILED


def graph(*waits: tuple[int, ...], first: int = 0, lenient: frozenset[int] = frozenset()) -> TaskGraph:
    tasks = [
        Task(number=first + i, kind=TaskKind.STATE, instance=InstanceId(f"n_{i}"), ignore_failure=first + i in lenient)
        for i in range(len(waits))
    ]
    return TaskGraph(tasks=tasks, waits=waits, first=first)


@st.composite
def graphs(draw: st.DrawFn) -> TaskGraph:
    size = draw(st.integers(1, 30))
    return graph(*(tuple(draw(st.sets(st.integers(0, i - 1), max_size=4))) if i else () for i in range(size)))


def descendants(of: TaskGraph, roots: set[int]) -> set[int]:
    found = set(roots)
    for number, waits in enumerate(of.waits):
        if found.intersection(waits):
            found.add(number)
    return found


def drain(progress: Progress, of: TaskGraph, bad: set[int], data: st.DataObject) -> list[int]:
    """Walk to the end, ending tasks in any order and in batches of any size; return the order in which they ended."""
    in_flight, ended = progress.advance().ready, []
    while in_flight:
        batch = data.draw(st.lists(st.sampled_from(in_flight), min_size=1, unique=True))
        in_flight = [number for number in in_flight if number not in batch]
        ended += batch
        step = progress.advance([(number, BAD if number in bad else OK) for number in batch])
        for number in step.ready:
            assert set(of.waits[number]) <= set(ended) - bad, "a task started before what it waits for was done"
        in_flight += step.ready
        assert step.done == (not in_flight)
    return ended


@given(of=graphs(), data=st.data())
def test_every_task_runs_once_and_after_what_it_waits_for(of: TaskGraph, data: st.DataObject) -> None:
    progress = Progress(of)
    assert sorted(drain(progress, of, set(), data)) == list(range(len(of.tasks)))
    assert progress.standing is Standing.SUCCEEDED


@given(of=graphs(), data=st.data())
def test_a_failure_blocks_its_descendants_and_nothing_else(of: TaskGraph, data: st.DataObject) -> None:
    progress = Progress(of)
    bad = data.draw(st.sets(st.sampled_from(range(len(of.tasks))), min_size=1))
    ended = set(drain(progress, of, bad, data))
    blocked = set(range(len(of.tasks))) - ended
    assert blocked == descendants(of, bad & ended) - (bad & ended)
    assert set(progress.failed) == bad & ended
    assert set(progress.unfinished()) == blocked
    assert progress.standing is Standing.FAILED


@given(of=graphs(), data=st.data())
def test_an_execution_taken_over_goes_on_where_it_was(of: TaskGraph, data: st.DataObject) -> None:
    progress = Progress(of)
    before = data.draw(st.integers(0, len(of.tasks)))
    in_flight, ended = progress.advance().ready, dict[int, TaskState]()
    while in_flight and len(ended) < before:
        number = in_flight.pop(data.draw(st.integers(0, len(in_flight) - 1)))
        ended[number] = TaskState.SUCCEEDED
        in_flight += progress.advance([(number, OK)]).ready
    again = rebuild(of, ended)
    assert sorted(again.advance().ready) == sorted(in_flight)
    assert again.standing is progress.standing


def test_an_ignored_failure_lets_the_rest_go_on() -> None:
    progress = Progress(graph((), (0,), lenient=frozenset({0})))
    progress.advance()
    assert progress.advance([(0, BAD)]).ready == [1]
    assert progress.advance([(1, OK)]).standing is Standing.SUCCEEDED


def test_a_failure_that_the_record_does_not_ignore_blocks_even_so() -> None:
    progress = Progress(graph((), (0,), lenient=frozenset({0})))
    progress.advance()
    assert progress.advance([(0, TaskState.FAILED)]).standing is Standing.FAILED


def test_cancel_lets_tasks_in_flight_end_and_starts_no_other() -> None:
    progress = Progress(graph((), (0,)))
    progress.advance()
    progress.cancel()
    assert progress.standing is Standing.RUNNING
    step = progress.advance([(0, OK)])
    assert (step.ready, step.standing) == ([], Standing.CANCELLED)
    assert progress.unfinished() == [1]


def test_cancel_before_anything_started() -> None:
    progress = Progress(graph(()))
    progress.cancel()
    assert progress.advance().standing is Standing.CANCELLED


def test_cancel_when_the_last_task_ended_changes_nothing() -> None:
    progress = Progress(graph(()))
    progress.advance()
    progress.cancel()
    assert progress.advance([(0, OK)]).standing is Standing.SUCCEEDED


def test_a_later_stage_may_wait_for_tasks_of_an_earlier_one() -> None:
    progress = Progress(graph((), ()))
    progress.advance()
    progress.advance([(0, OK)])
    progress.append(graph((0,), (1,), (2,), first=2))
    assert progress.advance().ready == [2]
    assert progress.advance([(1, OK), (2, OK)]).ready == [3, 4]


def test_a_stage_after_the_end_sets_the_walk_going_again() -> None:
    progress = Progress(graph(()))
    progress.advance()
    assert progress.advance([(0, OK)]).done
    progress.append(graph((), first=1))
    assert progress.standing is Standing.RUNNING
    assert progress.advance().ready == [1]


def test_numbers_go_on_from_a_first_that_is_not_zero() -> None:
    progress = Progress(graph((), (7,), first=7))
    assert progress.advance().ready == [7]
    assert progress.advance([(7, OK)]).ready == [8]


def test_stages_must_continue_the_numbers() -> None:
    with pytest.raises(ValueError, match="next number is 1"):
        Progress(graph(())).append(graph((), first=5))


def test_an_empty_graph_has_succeeded() -> None:
    assert Progress(graph()).advance().standing is Standing.SUCCEEDED


def test_a_finished_execution_taken_over_has_nothing_to_do() -> None:
    done = {0: TaskState.SUCCEEDED, 1: TaskState.IGNORED}
    assert rebuild(graph((), (0,)), done).standing is Standing.SUCCEEDED


def test_a_recorded_failure_still_blocks_after_a_takeover() -> None:
    progress = rebuild(graph((), (0,), ()), {0: TaskState.FAILED})
    assert progress.advance().ready == [2]
    assert progress.advance([(2, OK)]).standing is Standing.FAILED


@pytest.mark.parametrize("outcome", [Verdict.RETRY, Verdict.WAITING, TaskState.RESCHEDULED, TaskState.STARTED])
def test_what_is_no_end_is_refused_and_changes_nothing(outcome: Verdict | TaskState) -> None:
    progress = Progress(graph(()))
    progress.advance()
    with pytest.raises(ValueError, match="not how a task ends"):
        progress.advance([(0, outcome)])
    assert progress.advance([(0, OK)]).standing is Standing.SUCCEEDED


def test_a_task_ends_once() -> None:
    progress = Progress(graph((), ()))
    progress.advance()
    progress.advance([(0, OK)])
    with pytest.raises(ValueError, match="not in flight"):
        progress.advance([(0, OK)])
    with pytest.raises(ValueError, match="no task 9"):
        progress.advance([(9, OK)])


def test_a_long_chain_needs_no_deep_stack() -> None:
    size = 20_000
    progress = Progress(graph((), *((i,) for i in range(size - 1))))
    step, ended = progress.advance(), count()
    while step.ready:
        next(ended)
        step = progress.advance([(step.ready[0], OK)])
    assert next(ended) == size
