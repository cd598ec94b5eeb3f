"""Custom workflows that fail, are cancelled, resumed, changed or hostile: the record stands, nobody is harmed."""

import os
from pathlib import Path

import pytest

from groundplan.model.execution import EventType, ExecutionStatus, TaskState
from groundplan.runtime.dialogue import workflows
from groundplan.state.store import Batch

from .conftest import CANARY
from .stage import Stage

DONE = TaskState.SUCCEEDED

TWO_PARTS = """
def note(path):
    with open(path, "a") as out:
        out.write("x")
    return os.getpid()

@workflow
def play(ctx, path, fail, **_):
    one("db").execute_operation(START).get()
    pid = ctx.local_task(note, kwargs={"path": path}).get()
    states = [one(node).state for node in ("db", "web")]
    ctx.logger.info("still the same: %s %s" % (pid, states))
    one("web").set_state("started").get()
    one("web").execute_operation(START, kwargs={"fail": ["start"] if os.path.exists(fail) else []}).get()
    one("db").execute_operation(STOP).get()
"""


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, str]:
    """Where the function leaves a mark, and what makes an operation fail while it is there."""
    (tmp_path / "fail").touch()
    return {"path": str(tmp_path / "note"), "fail": str(tmp_path / "fail")}


def test_a_resume_is_answered_from_the_record(stage: Stage, paths: dict[str, str]) -> None:
    stage.deploy(TWO_PARTS)
    execution = stage.start(parameters=paths, allow_custom_parameters=True)
    assert stage.drive(execution).error == "start was told to fail"
    os.remove(paths["fail"])
    # The arguments of a request are part of the record: what is done again is done as it was asked for.
    assert stage.resume(execution).error == "start was told to fail"
    assert stage.ran(execution) == [("db", "start", DONE, 1), ("web", "start", TaskState.FAILED, 2)]
    assert Path(paths["path"]).read_text() == "x"
    told = [message for message in stage.said(execution) if message.startswith("still the same")]
    assert len(told) == 1
    assert told[0].endswith("['uninitialized', 'uninitialized']")


def test_a_workflow_that_changed_is_refused_on_resume(stage: Stage, paths: dict[str, str]) -> None:
    stage.deploy(TWO_PARTS)
    execution = stage.start(parameters=paths, allow_custom_parameters=True)
    stage.drive(execution)
    stage.replace(TWO_PARTS.replace('one("db").execute_operation(START)', 'one("web").execute_operation(STOP)'))
    ended = stage.resume(execution)
    assert ended.status is ExecutionStatus.FAILED
    assert ended.error.startswith("the workflow changed since it started: request 2 was 'operation")
    stage.replace("@workflow\ndef play(ctx, **_):\n    pass\n")
    ended = stage.resume(execution)
    assert ended.error.startswith("the workflow changed since it started: it asked for")
    assert list(stage.engine.home.path.rglob("__pycache__")) == []


def test_a_caught_failure_is_not_run_again_by_a_resume(stage: Stage) -> None:
    stage.deploy(
        """
        @workflow
        def play(ctx, **_):
            try:
                one("broken").execute_operation(START).get()
            except Exception as error:
                ctx.logger.info("caught %s" % error)
            lifecycle.install_node_instances(None, [one("db")])
            one("web").execute_operation(START, kwargs={"fail": ["start"]}).get()
        """
    )
    execution = stage.start()
    assert stage.drive(execution).error == "start was told to fail"
    installed = [it for it in stage.ran(execution) if it[0] == "db"]
    assert stage.resume(execution).error == "start was told to fail"
    ran = stage.ran(execution)
    assert ran[0] == ("broken", "start", TaskState.IGNORED, 1)
    assert ran[-1] == ("web", "start", TaskState.FAILED, 2)
    assert [it for it in ran if it[0] == "db"] == installed
    assert {it[3] for it in installed} == {1}


# -- cancel


def cancelling(stage: Stage, when: str) -> None:
    """Ask for a cancel when a message is committed."""

    def look(batch: Batch) -> None:
        if any(event.message == when for event in batch.events):
            assert stage.driver is not None
            stage.driver.request_cancel()

    stage.seen.look = look


def test_a_cancel_reaches_the_workflow_and_a_resume_goes_on(stage: Stage) -> None:
    cancelling(stage, "now")
    ended = stage.play(
        """
        @workflow
        def play(ctx, **_):
            one("db").execute_operation(START).get()
            ctx.logger.info("now")
            while not api.has_cancel_request() and not ctx.resume:
                time.sleep(0.01)
            one("web").execute_operation(START).get()
        """
    )
    assert (ended.status, ended.error) == (ExecutionStatus.CANCELLED, "")
    assert stage.ran(ended.id) == [("db", "start", DONE, 1)]
    stage.seen.look = lambda _: None
    assert stage.resume(ended.id).status is ExecutionStatus.TERMINATED
    assert stage.ran(ended.id) == [("db", "start", DONE, 1), ("web", "start", DONE, 1)]


def test_a_workflow_that_takes_no_notice_of_a_cancel_is_ended(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflows, "GRACE_SECONDS", 0.2)
    cancelling(stage, "now")
    ended = stage.play(
        """
        import signal
        @workflow
        def play(ctx, **_):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            ctx.logger.info("now")
            while True:
                time.sleep(60)
        """
    )
    assert (ended.status, ended.error) == (ExecutionStatus.CANCELLED, "")


# -- a process that ends, or says what it should not


@pytest.mark.parametrize(
    ("last", "error"),
    [
        ("sys.exit(3)", "the workflow called exit(3)"),
        ("print('bye', file=sys.stderr, flush=True); os._exit(4)", "ended with exit code 4:\nbye"),
        ("os.kill(os.getpid(), 9)", "ended with signal 9"),
        ("raise ValueError('I know %s' % ctx._session.parameters['hidden'])", "I know ******"),
        ("import nowhere", "No module named 'nowhere'"),
        ("one('db').execute_operation(START, kwargs={'a': object()}).get()", "must be JSON"),
        ("one('db').execute_operation(START, kwargs={'a': 'x' * 17_000_000}).get()", "cannot be handed to the engine"),
    ],
)
def test_trouble_of_a_workflow_is_told_in_plain_words(stage: Stage, last: str, error: str) -> None:
    from .stage import SHOP

    body = SHOP.replace(
        "play: acme.acme.play\n",
        "play: {mapping: acme.acme.play, parameters: {hidden: {default: {get_secret: canary}}}}\n",
    )
    ended = stage.play(f"@workflow\ndef play(ctx, **_):\n    {last}\n", body=body)
    assert ended.status is ExecutionStatus.FAILED
    assert error in ended.error
    assert CANARY not in str(stage.said(ended.id)) + ended.error


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"garbage\n", "said what is no message"),
        (b'{"type": "read", "number": "../../etc"}\n', "said what is no message"),
        (b"[" * 100_000 + b"\n", "said what is no message"),
        (b"x" * 17_000_000, "said more than 16777216 bytes at once"),
    ],
)
def test_a_hostile_process_is_ended(stage: Stage, raw: bytes, error: str) -> None:
    ended = stage.play(
        f"""
        @workflow
        def play(ctx, **_):
            made = {raw[:1]!r} * {len(raw) - 1} + b"\\n" if {len(raw) > 1000} else {raw[:1000]!r}
            ctx._session.send_line(made)
            time.sleep(60)
        """
    )
    assert ended.status is ExecutionStatus.FAILED
    assert error in ended.error


def test_requests_that_name_what_is_not_there_are_refused_one_by_one(stage: Stage) -> None:
    ended = stage.play(
        """
        from cloudify.workflows.tasks import WorkflowTask
        @workflow
        def play(ctx, **_):
            for message in (
                {"type": "state", "instance": "", "state": "started"},
                {"type": "operation", "instance": one("web").id, "operation": START, "relationship": 7},
                {"type": "operation", "instance": one("web").id, "operation": "cloudify.interfaces.lifecycle.pull"},
                {"type": "lifecycle", "workflow": "install", "instances": ["nobody"]},
                {"type": "update", "instance": "nobody", "runtime_properties": {}},
                {"type": "read", "instance": "nobody"},
            ):
                try:
                    WorkflowTask(ctx._session, "x", message).apply().get()
                except RuntimeError as error:
                    ctx.logger.info("refused: %s" % error)
            ctx._session.judge(["99", "1"], ignored=True)
            ctx._session.tell({"type": "ran", "number": "99"})
        """
    )
    assert (ended.status, ended.error) == (ExecutionStatus.TERMINATED, "")
    assert sum(message.startswith("refused: ") for message in stage.said(ended.id)) == 6


def test_endless_output_is_cut(stage: Stage) -> None:
    ended = stage.play(
        """
        @workflow
        def play(ctx, **_):
            for number in range(15_000):
                print(number)
        """
    )
    assert ended.status is ExecutionStatus.TERMINATED
    logged = [event for event in stage.events(ended.id) if event.type is EventType.LOG]
    assert len(logged) == 10_001
    assert logged[-1].message == "the script writes much to out: the rest of it is not logged"


def test_code_that_cannot_be_had_is_named(stage: Stage) -> None:
    from .stage import SHOP

    body = SHOP.replace("acme.acme.play", "acme.elsewhere.tasks.play")
    ended = stage.play(body=body, workflow="")
    assert "elsewhere.tasks cannot be imported" in ended.error
    assert "installed beside the engine" in ended.error
