"""Custom workflows in Python, played by the real driver in real processes (spec 7.5)."""

from pathlib import Path

import pytest

from groundplan.model.deployment import InstanceState
from groundplan.model.execution import ExecutionStatus, TaskState
from groundplan.model.ids import DeploymentId

from .conftest import CANARY
from .stage import SHOP, Stage

DONE = TaskState.SUCCEEDED


def test_calls_run_one_after_the_other_and_give_their_results(stage: Stage) -> None:
    ended = stage.play(
        """
        @workflow
        def play(ctx, **_):
            given = one("db").execute_operation(START).get()
            one("web").execute_operation(STOP).get()
            ctx.logger.info("the first gave %s" % given)
        """
    )
    assert (ended.status, ended.error) == (ExecutionStatus.TERMINATED, "")
    assert stage.ran(ended.id) == [("db", "start", DONE, 1), ("web", "stop", DONE, 1)]
    assert "the first gave start" in stage.said(ended.id)


def test_a_graph_runs_in_its_order(stage: Stage) -> None:
    ended = stage.play(
        """
        @workflow
        def play(ctx, **_):
            graph = ctx.graph_mode()
            last = one("web").execute_operation(START)
            line = graph.sequence()
            line.add(one("db").set_state("starting"), one("db").send_event("begun"))
            line.add(forkjoin(one("db").execute_operation(START), one("db").execute_operation(STOP)), last)
            graph.execute()
        """
    )
    assert (ended.status, ended.error) == (ExecutionStatus.TERMINATED, "")
    ran = stage.ran(ended.id)
    assert sorted(ran[:2]) == [("db", "start", DONE, 1), ("db", "stop", DONE, 1)]
    assert ran[2:] == [("web", "start", DONE, 1)]
    assert stage.instances()["db"].state is InstanceState.STARTING
    assert "begun" in stage.said(ended.id)
    # The record knows what waited for what.
    records = {record.task.instance.partition("_")[0] + record.task.name: record for record in stage.records(ended.id)}
    assert set(records["webstart"].waits) == {records["dbstart"].task.number, records["dbstop"].task.number}


def test_a_graph_tells_every_failure_and_runs_what_does_not_depend_on_it(stage: Stage) -> None:
    ended = stage.play(
        """
        @workflow
        def play(ctx, **_):
            graph = ctx.graph_mode()
            graph.sequence().add(one("broken").execute_operation(START), one("web").execute_operation(STOP))
            graph.sequence().add(one("db").execute_operation(START), one("web").execute_operation(START))
            graph.execute()
        """
    )
    assert ended.status is ExecutionStatus.FAILED
    assert ended.error.startswith("Task failed 'broken_")
    assert "start was told to fail" in ended.error
    assert ("web", "start", DONE, 1) in stage.ran(ended.id)
    assert "stop" not in {name for _, name, _, _ in stage.ran(ended.id)}


def test_a_failure_that_is_caught_is_recorded_as_ignored(stage: Stage) -> None:
    ended = stage.play(
        """
        @workflow
        def play(ctx, **_):
            try:
                one("broken").execute_operation(START).get()
            except Exception as error:
                ctx.logger.warning("caught: %s" % error)
            one("db").execute_operation(START).get()
        """
    )
    assert (ended.status, ended.error) == (ExecutionStatus.TERMINATED, "")
    assert stage.ran(ended.id) == [("broken", "start", TaskState.IGNORED, 1), ("db", "start", DONE, 1)]
    assert "caught: start was told to fail" in stage.said(ended.id)


def test_a_failure_that_nobody_looks_at_fails_the_workflow(stage: Stage) -> None:
    ended = stage.play(
        """
        @workflow
        def play(ctx, **_):
            one("broken").execute_operation(START)
        """
    )
    assert (ended.status, ended.error) == (ExecutionStatus.FAILED, "start was told to fail")


@pytest.mark.parametrize(("line", "traces"), [('one("broken").execute_operation(START).get()', 0), ('{}["x"]', 1)])
def test_where_the_program_stood_is_told_of_faults_of_its_own_only(stage: Stage, line: str, traces: int) -> None:
    ended = stage.play(
        f"""
        @workflow
        def play(ctx, **_):
            {line}
        """
    )
    assert ended.status is ExecutionStatus.FAILED
    said = "\n".join(stage.said(ended.id))
    assert said.count("Traceback") == traces
    assert f"workflow execution failed: {ended.error}" in said
    assert ended.error in ("start was told to fail", "KeyError: 'x'")


def test_a_handler_may_ignore_a_failure_or_have_it_done_again(stage: Stage) -> None:
    ended = stage.play(
        """
        @workflow
        def play(ctx, **_):
            graph = ctx.graph_mode()
            ignored = one("broken").execute_operation(START)
            ignored.on_failure = lambda task: HandlerResult.ignore()
            twice = one("web").execute_operation(START, kwargs={"fail_times": 1})
            twice.on_failure = lambda task: HandlerResult.retry(retry_after=0)
            after = one("db").execute_operation(START)
            graph.sequence().add(ignored, twice, after)
            graph.execute()
        """
    )
    # What is done again is a task of its own: its first attempt fails as well, and no retry is left then.
    assert ended.status is ExecutionStatus.FAILED
    ran = [(node, state) for node, _, state, _ in stage.ran(ended.id)]
    assert ran == [("broken", TaskState.IGNORED), ("web", TaskState.IGNORED), ("web", TaskState.FAILED)]


def test_a_subgraph_fails_as_one_and_its_handler_decides(stage: Stage) -> None:
    ended = stage.play(
        """
        @workflow
        def play(ctx, **_):
            graph = ctx.graph_mode()
            group = graph.subgraph("group")
            group.sequence().add(one("broken").execute_operation(START), one("web").execute_operation(START))
            group.on_failure = lambda task: HandlerResult.ignore()
            graph.sequence().add(group, one("db").execute_operation(START))
            graph.execute()
        """
    )
    assert (ended.status, ended.error) == (ExecutionStatus.TERMINATED, "")
    assert stage.ran(ended.id) == [("broken", "start", TaskState.IGNORED, 1), ("db", "start", DONE, 1)]


def test_a_subgraph_may_be_done_again_as_another(stage: Stage) -> None:
    ended = stage.play(
        """
        @workflow
        def play(ctx, **_):
            graph = ctx.graph_mode()
            def group(node):
                made = graph.subgraph(node)
                made.sequence().add(one(node).execute_operation(START), one("web").execute_operation(STOP))
                return made
            def again(task):
                result = HandlerResult.retry()
                result.retried_task = group("db")
                return result
            first = group("broken")
            first.on_failure = again
            graph.sequence().add(first, one("web").execute_operation(START))
            graph.execute()
        """
    )
    assert (ended.status, ended.error) == (ExecutionStatus.TERMINATED, "")
    assert [(node, name) for node, name, _, _ in stage.ran(ended.id)] == [
        ("broken", "start"),
        ("db", "start"),
        ("web", "stop"),
        ("web", "start"),
    ]


def test_relationship_operations_run_on_their_side(stage: Stage) -> None:
    ended = stage.play(
        """
        @workflow
        def play(ctx, **_):
            link = next(one("web").relationships)
            assert link.relationship.is_derived_from("cloudify.relationships.depends_on")
            assert link.target_node_instance is one("db")
            name = "cloudify.interfaces.relationship_lifecycle.establish"
            link.execute_source_operation(name).get()
            link.execute_target_operation(name).get()
        """
    )
    assert (ended.status, ended.error) == (ExecutionStatus.TERMINATED, "")
    sides = [record.task.relationship.side for record in stage.records(ended.id) if record.task.relationship]
    assert sides == ["source", "target"]


def test_instances_are_installed_as_the_built_in_workflow_does(stage: Stage) -> None:
    ended = stage.play(
        """
        @workflow
        def play(ctx, **_):
            graph = ctx.graph_mode()
            lifecycle.install_node_instances(graph, [one("web"), one("db")])
            assert one("web").state == "started" and one("db").runtime_properties == {"port": 5432}
        """
    )
    assert (ended.status, ended.error) == (ExecutionStatus.TERMINATED, "")
    states = {node: item.state for node, item in stage.instances().items()}
    assert (states["web"], states["db"], states["broken"]) == ("started", "started", "uninitialized")


def test_what_the_graph_does_not_have_is_said_where_it_is_asked_for(stage: Stage) -> None:
    ended = stage.play(
        """
        @workflow
        def play(ctx, **_):
            assert one("db").execute_operation("no.such.operation").get() is None
            try:
                one("db").set_state("glowing").get()
            except RuntimeError as error:
                ctx.logger.info(str(error))
            instance = one("db")
            instance.id = "nobody"
            instance.execute_operation(START).get()
        """
    )
    assert (ended.status, ended.error) == (ExecutionStatus.FAILED, "there is no node instance 'nobody'")
    assert any(message.startswith("'glowing' is no state") for message in stage.said(ended.id))


def test_properties_and_runtime_properties_are_read_and_written(stage: Stage) -> None:
    ended = stage.play(
        """
        @workflow
        def play(ctx, **_):
            db = one("db")
            assert db.node.properties["values"] == {"port": 5432}, db.node.properties
            db.runtime_properties["note"] = {"get_secret": "canary"}
            ctx.update_node_instance(db).get()
            ctx.refresh_node_instances()
            assert db.runtime_properties["note"] == {"get_secret": "canary"}
            assert db.get_state().get() == "uninitialized"
        """
    )
    assert (ended.status, ended.error) == (ExecutionStatus.TERMINATED, "")


def test_a_function_of_the_workflow_is_a_task_that_is_tried_again(stage: Stage) -> None:
    ended = stage.play(
        """
        tries = []
        def work(amount):
            tries.append(amount)
            if len(tries) < 2:
                raise ValueError("not yet")
            return {"sum": sum(tries)}

        @workflow
        def play(ctx, **_):
            given = ctx.local_task(work, kwargs={"amount": 2}).get()
            ctx.logger.info("work gave %s" % given["sum"])
        """
    )
    assert (ended.status, ended.error) == (ExecutionStatus.TERMINATED, "")
    assert "work gave 4" in stage.said(ended.id)
    (record,) = [it for it in stage.records(ended.id) if it.task.operation == "function work"]
    assert (record.state, record.attempts) == (DONE, 2)


def test_a_function_of_a_plugin_is_called_for_no_node_and_recorded(stage: Stage) -> None:
    ended = stage.play(
        """
        from cloudify.decorators import operation
        from cloudify.exceptions import NonRecoverableError

        @operation
        def count(ctx, amount, **_):
            ctx.logger.info("%s of %s" % (ctx.type, ctx.deployment.id))
            assert not hasattr(ctx, "instance")
            return amount + 1

        @workflow
        def play(ctx, **_):
            ctx.logger.info("count gave %s" % ctx.execute_task("acme.count", kwargs={"amount": 2}).get())
            try:
                ctx.execute_task("acme.nobody").get()
            except NonRecoverableError as error:
                ctx.logger.info(str(error))
        """
    )
    assert ended.error == ""
    said = stage.said(ended.id)
    assert {"deployment of shop", "count gave 3"} <= set(said)
    assert any("acme.nobody cannot be imported" in line for line in said)
    states = [it.state for it in stage.records(ended.id) if it.task.operation.startswith("function acme.")]
    assert states == [DONE, TaskState.IGNORED]


def test_a_script_of_the_blueprint_is_a_workflow_with_its_parameters(stage: Stage) -> None:
    stage.deploy(
        script="""
        from cloudify.state import workflow_ctx as ctx, workflow_parameters as parameters
        if __name__ == "__main__":
            print("printed")
            for node in ctx.nodes:
                ctx.logger.info("%s of %s and %s" % (node.id, parameters.count, parameters["word"]))
            ctx.logger.info("hidden is %s" % parameters.hidden)
            ctx.get_node_instance(next(ctx.get_node("db").instances).id).execute_operation(
                "cloudify.interfaces.lifecycle.start", kwargs={"message": "told %s" % parameters.hidden}).get()
            ctx.local_task(lambda: parameters.hidden, name="keep " + parameters.hidden).get()
        """
    )
    ended = stage.drive(stage.start("play_script", parameters={"count": "3"}))
    assert (ended.status, ended.error) == (ExecutionStatus.TERMINATED, "")
    said = stage.said(ended.id)
    assert {"db of 3 and hello", "<out> printed", "hidden is ******"} <= set(said)
    assert stage.ran(ended.id) == [("db", "start", DONE, 1)]
    assert "******" in said
    assert CANARY not in str(said) + str(stage.records(ended.id))


def test_a_dry_run_walks_the_whole_way_and_calls_nothing(stage: Stage) -> None:
    stage.deploy(
        """
        @workflow
        def play(ctx, **_):
            one("broken").execute_operation(START).get()
            ctx.local_task(lambda: os._exit(7), name="leave").get()
            one("db").execute_operation(START).get()
        """
    )
    ended = stage.drive(stage.start(is_dry_run=True))
    assert (ended.status, ended.error) == (ExecutionStatus.TERMINATED, "")
    assert [(node, name) for node, name, _, _ in stage.ran(ended.id)] == [("broken", "start"), ("db", "start")]
    assert stage.instances()["db"].runtime_properties == {}


SCALING = """
@workflow
def play(ctx, wanted, fail=False, **_):
    change = ctx.deployment.start_modification({"web": {"instances": wanted}})
    assert [item.id for item in ctx.deployment.list_started_modifications()] == [change.id]
    added = [item for item in change.added.node_instances if item.modification == "added"]
    removed = [item for item in change.removed.node_instances if item.modification == "removed"]
    related = {item.node_id for item in change.added.node_instances if item.modification is None}
    assert related <= {"db"}
    if fail:
        change.rollback()
        raise ValueError("taken back")
    lifecycle.install_node_instances(None, added)
    lifecycle.uninstall_node_instances(None, removed)
    change.finish()
    assert ctx.get_node("web").number_of_instances == wanted
    assert ctx.deployment.list_started_modifications() == []
"""


def webs(stage: Stage) -> list[str]:
    """The states of the instances of web."""
    with stage.engine.store.snapshot() as snapshot:
        return [item.state for item in snapshot.instances(DeploymentId("shop")) if item.node == "web"]


def test_a_workflow_changes_the_number_of_instances(stage: Stage) -> None:
    stage.deploy(SCALING)
    more = stage.drive(stage.start(parameters={"wanted": 3}, allow_custom_parameters=True))
    assert (more.status, more.error) == (ExecutionStatus.TERMINATED, "")
    assert webs(stage) == ["uninitialized", "started", "started"]
    less = stage.drive(stage.start(parameters={"wanted": 1}, allow_custom_parameters=True))
    assert (less.status, less.error) == (ExecutionStatus.TERMINATED, "")
    assert len(webs(stage)) == 1


def test_a_change_of_instances_is_taken_back(stage: Stage) -> None:
    stage.deploy(SCALING)
    execution = stage.start(parameters={"wanted": 3, "fail": True}, allow_custom_parameters=True)
    assert stage.drive(execution).error == "taken back"
    assert webs(stage) == ["uninitialized"]
    assert stage.resume(execution).error == "taken back"


def test_the_howto_is_true(stage: Stage) -> None:
    text = (Path(__file__).parents[3] / "docs/howto/write-a-workflow.md").read_text()
    code = text.partition("```python\n")[2].partition("```")[0]
    ended = stage.play(code, body=SHOP.replace("play: acme.acme.play", "play: acme.acme.rolling_restart"))
    assert (ended.status, ended.error) == (ExecutionStatus.TERMINATED, "")
    assert [name for _, name, _, _ in stage.ran(ended.id)] == ["stop", "start"]
    assert stage.instances()["web"].state is InstanceState.STARTED
