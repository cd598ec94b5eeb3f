"""One attempt with real parts round it: the operations stand below, and a manifest names them."""

import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import structs

from groundplan.model.blueprint import Blueprint, Operation, Plugin
from groundplan.model.deployment import Deployment
from groundplan.model.execution import Event, Execution, ExecutionStatus, Outcome, Verdict
from groundplan.model.graph import RelationshipRef, Side, Task, TaskKind
from groundplan.model.ids import ExecutionId, InstanceId
from groundplan.model.plugin import PluginManifest, StandIn
from groundplan.model.secret import SecretValue
from groundplan.model.values import Sensitive, from_data, to_data
from groundplan.runtime.attempt import Assignment, Attempts
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.registry import Registry
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError, OperationRetry, RecoverableError
from groundplan.sdk.operation import operation
from groundplan.state.store import StoreFault

from ..planning.builders import blueprint, node, relationship
from .rehearsal import NOW, Ending, Rehearsal

PASSWORD = "correct horse battery"

ACTS = {}


def act(function):
    """Have a function stand behind the operation of its name."""
    ACTS[f"acts.{function.__name__}"] = f"{__name__}:{function.__name__}"
    return function


class Place:
    """Surroundings of a home that is bound to nothing."""

    sandboxed = False
    unconfined = False
    hidden = ()

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.lasting, self.cache = scratch / "lasting", scratch / "cache"

    def check(self) -> None:
        """All is well."""

    def settings(self, plugin: str) -> dict[str, object]:
        """The plugin's own section."""
        return {"of": plugin}

    def folders(self, deployment: Deployment) -> tuple[Path, ...]:
        """No files."""
        return ()

    def imported(self, blueprint: Blueprint) -> dict[str, Path]:
        """No imported blueprints."""
        return {}


class Bench:
    """Makes attempts of the operations below on the instances of a small blueprint."""

    def __init__(self, rehearsal: Rehearsal, scratch: Path) -> None:
        self.rehearsal = rehearsal
        self.events: list[Event] = []
        self.given_up = threading.Event()
        manifest = PluginManifest(
            name="acts",
            version="1",
            package=__name__,
            text="",
            stands_for=(StandIn(name="cloudify-acts-plugin", version="1"),),
            operations=ACTS,
        )
        self.attempts = Attempts(
            registry=Registry([manifest]),
            children=Ending(),
            store=rehearsal.store,
            surroundings=Place(scratch),
            evaluator=Evaluator.of_store(rehearsal.library, rehearsal.store),
        )

    def run(self, name: str, *, lost: bool = False, dry: bool = False, ref: RelationshipRef | None = None, **inputs):
        """Run one operation on `web`, or as an operation of its relationship to `db`."""
        behind = Operation(plugin="acts", operation=f"acts.{name}", inputs=inputs)
        on = {"cloudify.interfaces.lifecycle.create": behind}
        link = relationship("connected_to", "db")
        link = structs.replace(link, source_operations=on, target_operations=on)
        plan = blueprint(node("db", ip="10.0.0.9"), node("web", link, operations=on, port=80))
        plan = replace(plan, plugins={"acts": Plugin(name="acts", package_name="cloudify-acts-plugin")})
        deployment = self.rehearsal.deploy(plan)
        with self.rehearsal.store.snapshot() as snapshot:
            world = self.rehearsal.library.world(snapshot, deployment)
        task = Task(
            number=0,
            kind=TaskKind.OPERATION,
            instance=InstanceId("web_000002"),
            operation="cloudify.interfaces.lifecycle.create",
            relationship=ref,
        )
        execution = Execution(
            id=ExecutionId("execution0"),
            deployment=deployment.id,
            workflow="install",
            status=ExecutionStatus.STARTED,
            created_at=NOW,
            is_dry_run=dry,
        )
        return self.attempts.run(
            Assignment(
                execution=execution,
                world=world,
                task=task,
                number=1,
                earlier=0,
                retries=5,
                timeout=60,
                lost=lost,
                given_up=self.given_up,
                tell=self.events.append,
                clock=lambda: NOW,
            )
        )


@pytest.fixture
def bench(rehearsal: Rehearsal, tmp_path: Path) -> Iterator[Bench]:
    """A bench on an empty store."""
    assert __name__ in sys.modules
    return Bench(rehearsal, tmp_path)


WEB, DB = InstanceId("web_000002"), InstanceId("db_000001")


@act
@operation()
def hand_back(ctx: OperationContext, value: object = None) -> object:
    return value


@act
@operation()
def hand_back_strange(ctx: OperationContext, kind: str) -> object:
    strange = {"object": object(), "bytes": b"x", "key": {1: 2}, "surrogate": "\udcff", "nan": float("nan")}
    return {**strange, "decimal": Decimal(1), "deep": _deep(10_000)}[kind]


def _deep(levels: int) -> object:
    found: object = 1
    for _ in range(levels):
        found = [found]
    return found


@act
@operation()
def write(ctx: OperationContext, **values: object) -> None:
    ctx.instance.runtime_properties.update(values)


@act
@operation()
def write_inside(ctx: OperationContext) -> None:
    ctx.instance.runtime_properties.setdefault("list", [{}])[0]["deep"] = 1


@act
@operation()
def write_then_fail(ctx: OperationContext) -> None:
    ctx.instance.runtime_properties["made"] = "half"
    raise RecoverableError("not yet", retry_after=7)


@act
@operation()
def write_strange_then_fail(ctx: OperationContext) -> None:
    ctx.instance.runtime_properties["made"] = object()
    raise NonRecoverableError("no")


@act
@operation()
def write_both_ends(ctx: OperationContext) -> None:
    ctx.source.instance.runtime_properties["db_host"] = ctx.target.instance.host_ip
    ctx.target.instance.runtime_properties["used_by"] = ctx.source.instance.id


@act
@operation()
def write_neighbour(ctx: OperationContext) -> object:
    for neighbour in ctx.neighbours:
        neighbour.instance.runtime_properties["mine"] = 1
    return [[it.node.name, it.outgoing, it.type.rpartition(".")[2]] for it in ctx.neighbours]


@act
@operation()
def pose(ctx: OperationContext) -> None:
    ctx.instance.runtime_properties["found"] = {"$function": {"get_input": "admin"}}


@act
@operation()
def leave(ctx: OperationContext) -> None:
    raise SystemExit(3)


@act
@operation()
def fail_unknown(ctx: OperationContext) -> None:
    raise KeyError("which")


@act
@operation()
def ask_again(ctx: OperationContext) -> None:
    raise OperationRetry("later", retry_after=3)


@act
@operation()
def meet_no_store(ctx: OperationContext, passes: bool) -> None:
    raise StoreFault("The store is away.", passes=passes)


@act
@operation()
def say(ctx: OperationContext, text: object) -> None:
    ctx.logger.info(text)


@act
@operation()
def say_strange(ctx: OperationContext) -> None:
    ctx.logger.warning(ValueError("an exception"))
    ctx.logger.info("\udcff")


@act
@operation()
def look_round(ctx: OperationContext) -> object:
    return [dict(ctx.node.properties), dict(ctx.plugin.settings), ctx.operation.lost_attempt]


@act
def unmarked(ctx: OperationContext) -> None:
    """An operation that promises nothing."""


# -- results and failures


def test_a_result_is_kept(bench: Bench) -> None:
    assert bench.run("hand_back", value="done") == Outcome(verdict=Verdict.SUCCEEDED, result="done")


@pytest.mark.parametrize("kind", ["object", "bytes", "key", "surrogate", "nan", "decimal", "deep"])
def test_a_result_that_is_no_json_fails_the_attempt(bench: Bench, kind: str) -> None:
    outcome = bench.run("hand_back_strange", kind=kind)
    assert (outcome.verdict, outcome.failure.type) == (Verdict.FAILED, "NonRecoverableError")
    assert "cannot be recorded" in outcome.failure.message


def test_an_operation_that_leaves_the_process_ends_its_attempt_only(bench: Bench) -> None:
    outcome = bench.run("leave")
    assert (outcome.verdict, outcome.failure.message) == (Verdict.RETRY, "The operation called exit(3)")


def test_what_is_not_known_to_be_final_may_be_tried_again(bench: Bench) -> None:
    outcome = bench.run("fail_unknown")
    assert (outcome.verdict, outcome.failure.type) == (Verdict.RETRY, "KeyError")
    assert "fail_unknown" in outcome.failure.detail


def test_what_an_attempt_changed_before_it_failed_is_kept(bench: Bench) -> None:
    outcome = bench.run("write_then_fail")
    assert (outcome.verdict, outcome.retry_after) == (Verdict.RETRY, 7)
    assert outcome.runtime_properties == {WEB: {"made": "half"}}


def test_what_cannot_be_recorded_is_left_out_of_a_failure(bench: Bench) -> None:
    outcome = bench.run("write_strange_then_fail")
    assert (outcome.failure.message, outcome.runtime_properties) == ("no", {})


def test_asking_for_a_retry_is_told_apart(bench: Bench) -> None:
    outcome = bench.run("ask_again")
    assert (outcome.verdict, outcome.asked_to_retry, outcome.retry_after) == (Verdict.RETRY, True, 3)


@pytest.mark.parametrize(("passes", "verdict"), [(True, Verdict.RETRY), (False, Verdict.FAILED)])
def test_a_store_that_fails_for_a_while_fails_no_operation(bench: Bench, passes: bool, verdict: Verdict) -> None:
    outcome = bench.run("meet_no_store", passes=passes)
    assert (outcome.verdict, outcome.asked_to_retry, outcome.failure.recoverable) == (verdict, passes, passes)


def test_an_operation_that_nobody_has_fails_for_good(bench: Bench) -> None:
    outcome = bench.run("nothing")
    assert (outcome.verdict, outcome.failure.message) == (
        Verdict.FAILED,
        "Plugin 'acts' has no operation 'acts.nothing'.",
    )


def test_a_dry_run_calls_nothing(bench: Bench) -> None:
    assert bench.run("leave", dry=True) == Outcome(verdict=Verdict.SUCCEEDED)


def test_a_lost_operation_that_promises_nothing_is_interrupted(bench: Bench) -> None:
    outcome = bench.run("unmarked", lost=True)
    assert (outcome.verdict, outcome.failure.type) == (Verdict.FAILED, "Interrupted")


def test_a_lost_operation_that_may_be_repeated_is(bench: Bench) -> None:
    assert bench.run("look_round", lost=True).result[2] == "execution0-0-0"


# -- the context


def test_properties_and_the_plugins_own_settings_are_seen(bench: Bench) -> None:
    assert bench.run("look_round").result == [{"port": 80}, {"of": "acts"}, ""]


def test_a_change_deep_inside_is_seen(bench: Bench) -> None:
    assert bench.run("write_inside").runtime_properties == {WEB: {"list": [{"deep": 1}]}}


def test_what_was_not_changed_is_not_written(bench: Bench) -> None:
    assert bench.run("look_round").runtime_properties == {}


@pytest.mark.parametrize("side", list(Side))
def test_both_ends_of_a_relationship_may_be_written(bench: Bench, side: Side) -> None:
    outcome = bench.run("write_both_ends", ref=RelationshipRef(index=0, source=WEB, target=DB, side=side))
    assert outcome.runtime_properties == {WEB: {"db_host": "10.0.0.9"}, DB: {"used_by": WEB}}


def test_neighbours_are_read_only(bench: Bench) -> None:
    outcome = bench.run("write_neighbour")
    assert (outcome.result, outcome.runtime_properties) == ([["db", True, "connected_to"]], {})


def test_data_that_looks_like_the_engines_function_stays_data(bench: Bench) -> None:
    written = bench.run("pose").runtime_properties[WEB]
    assert written == {"found": {"$literal": {"$function": {"get_input": "admin"}}}}


# -- what people see


def test_what_came_from_a_secret_is_masked_in_the_log(bench: Bench) -> None:
    with bench.rehearsal.store.transaction() as transaction:
        transaction.put_secret("db", SecretValue(text=PASSWORD), NOW)
    bench.run("say", text=_call("concat", ["opening with ", _call("get_secret", "db")]))
    assert [event.message for event in bench.events] == ["******"]


def test_what_came_from_a_secret_stays_sensitive_where_it_is_written(bench: Bench) -> None:
    with bench.rehearsal.store.transaction() as transaction:
        transaction.put_secret("db", SecretValue(text=PASSWORD), NOW)
    outcome = bench.run("write", copied=_call("get_secret", "db"))
    assert outcome.runtime_properties == {WEB: {"copied": Sensitive(PASSWORD)}}


def test_an_operation_may_log_what_is_no_text(bench: Bench) -> None:
    bench.run("say_strange")
    assert [event.message for event in bench.events] == ["an exception", "?"]


def test_nothing_is_told_by_an_attempt_that_was_given_up(bench: Bench) -> None:
    bench.given_up.set()
    bench.run("say", text="too late")
    assert bench.events == []


def _call(name: str, argument: object) -> object:
    return from_data({name: to_data(argument) if not isinstance(argument, list) else [to_data(it) for it in argument]})
