"""Inputs as environment, output as log, the end of a script as the end of its operation."""

import pytest

from groundplan.sdk.context import ScriptAnswer
from groundplan.sdk.errors import NonRecoverableError, OperationRetry, RecoverableError
from groundplan.sdk.scripts import OutputLog, ProcessOptions, conclude, environment
from groundplan.sdk.testing import BenchLog


def test_inputs_become_variables() -> None:
    inputs = {
        "text": "a b\n'ü'",
        "list": [1, "x"],
        "map": {"k": None},
        "yes": True,
        "n": 5,
        "none": None,
        "not-a-name": 1,
    }

    assert environment(inputs) == {
        "text": "a b\n'ü'", "list": '[1, "x"]', "map": '{"k": null}', "yes": "true", "n": "5", "none": ""
    }  # fmt: skip


def test_a_nul_cannot_be_a_variable() -> None:
    with pytest.raises(NonRecoverableError, match="key"):
        environment({"key": "a\0b"})


def test_options_are_read() -> None:
    given = {"cwd": "/srv", "env": {"A": 1}, "args": [1, "x"], "command_prefix": "sudo -E", "ctx_proxy_type": "none"}
    options = ProcessOptions.from_data(given)

    assert options == ProcessOptions(
        cwd="/srv", env={"A": "1"}, args=("1", "x"), command_prefix=("sudo", "-E"), serves_ctx=False
    )
    assert ProcessOptions.from_data(None) == ProcessOptions()


@pytest.mark.parametrize("given", ["text", {"env": "text"}, {"command_prefix": "'"}, {"args": 5}])
def test_options_of_another_form_are_refused(given: object) -> None:
    with pytest.raises(NonRecoverableError, match="process"):
        ProcessOptions.from_data(given)


def test_output_is_logged_with_its_stream() -> None:
    log = BenchLog()
    sink = OutputLog(log, ProcessOptions())
    sink("out", "hello")
    sink("err", "oh")

    assert log.records == [("info", "<out> hello"), ("info", "<err> oh")]
    assert sink.errors == "oh"


def test_streams_can_be_joined_or_left_out() -> None:
    log = BenchLog()
    OutputLog(log, ProcessOptions(stderr_to_stdout=True))("err", "joined")
    OutputLog(log, ProcessOptions(log_stdout=False))("out", "silent")

    assert log.records == [("info", "<out> joined")]


def test_much_output_is_cut_once() -> None:
    log = BenchLog()
    sink = OutputLog(log, ProcessOptions())
    for _ in range(30_000):
        sink("out", "x")

    assert len(log.records) == 10_001
    assert log.records[-1][0] == "warning"


def test_how_a_script_ends() -> None:
    assert conclude("s", 0, "", ScriptAnswer()) is None
    assert conclude("s", 0, "", ScriptAnswer(returned=True, result=[1])) == [1]
    with pytest.raises(RecoverableError, match="s ended with exit code 3: last"):
        conclude("s", 3, "first\nlast", ScriptAnswer(returned=True))
    with pytest.raises(RecoverableError, match="signal 9"):
        conclude("s", -9, "", ScriptAnswer())
    with pytest.raises(OperationRetry, match="later") as caught:
        conclude("s", 1, "", ScriptAnswer(retry=True, retry_after=5, message="later"))
    assert caught.value.retry_after == 5
    with pytest.raises(NonRecoverableError, match="no disk"):
        conclude("s", 1, "", ScriptAnswer(abort=True, message="no disk"))
