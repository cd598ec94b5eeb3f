"""Child processes: their environment, their end, their confinement."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from groundplan.runtime.foreign.machine import Machine, sweep
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.testing import BenchContext, context

from ...proof.user import eventually


@pytest.fixture
def ctx() -> Iterator[BenchContext]:
    with Machine() as machine:
        yield context(machine=machine)


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_status_and_outputs_come_back(ctx: BenchContext) -> None:
    ended = ctx.run(["sh", "-c", "echo out; echo err >&2; exit 3"])

    assert (ended.code, ended.stdout, ended.stderr, ended.timed_out) == (3, "out\n", "err\n", False)


def test_the_environment_is_made_here(ctx: BenchContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDPLAN_HOME", "/secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    names = {line.split("=")[0] for line in ctx.run(["/usr/bin/env"], environment={"OWN": "1"}).stdout.splitlines()}

    assert names == {
        "CTX_PYTHON", "HOME", "LANG", "OWN", "PATH", "PYTHONPATH", "PYTHONUNBUFFERED", "TMPDIR"
    }  # fmt: skip


def test_a_child_works_in_the_attempts_folder_which_goes_with_it() -> None:
    with Machine() as machine:
        ctx = context(machine=machine)
        folder = Path(ctx.run(["sh", "-c", "echo x > made; pwd"]).stdout.strip())
        assert folder == ctx.folder
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_folders_of_killed_engines_are_swept_away(tmp_path: Path) -> None:
    with Machine(scratch=tmp_path) as lives, Machine(scratch=tmp_path) as young:
        dead = tmp_path / "groundplan-attempt-dead"
        (dead / "script").mkdir(parents=True)
        for folder in (dead, lives.folder):
            os.utime(folder, (0, 0))

        assert sweep(tmp_path) == 1
        assert not dead.exists()
        assert lives.folder.exists()
        assert young.folder.exists()


def test_standard_input(ctx: BenchContext) -> None:
    assert ctx.run(["wc", "-c"], stdin="x" * 300_000).stdout.strip() == "300000"
    assert ctx.run(["cat"]).stdout == ""
    assert ctx.run(["true"], stdin="x" * 300_000).code == 0


def test_lines_come_while_it_runs(ctx: BenchContext) -> None:
    go = ctx.folder / "go"
    lines: list[tuple[str, str]] = []

    def take(stream: str, line: str) -> None:
        lines.append((stream, line))
        go.touch()

    ctx.run(["sh", "-c", "echo first; while [ ! -e go ]; do sleep 0.02; done; printf 'ünfinished' >&2"], on_line=take)

    assert lines == [("out", "first"), ("err", "ünfinished")]


def test_much_output_is_bounded(ctx: BenchContext) -> None:
    ended = ctx.run(["sh", "-c", "head -c 100000000 /dev/zero | tr '\\0' x; echo; echo end"])

    assert len(ended.stdout) == 8 * 2**20
    assert ended.stdout.endswith("x\nend\n")


def test_pipes_of_the_shell_end_quietly(ctx: BenchContext) -> None:
    assert ctx.run(["bash", "-c", "set -o pipefail; yes | head -n 1"]).code == 128 + signal.SIGPIPE
    assert ctx.run(["sh", "-c", "yes | head -n 1"]).stderr == ""


def test_a_line_without_end_comes_in_pieces(ctx: BenchContext) -> None:
    pieces: list[int] = []
    ctx.run(["sh", "-c", "head -c 100000 /dev/zero"], on_line=lambda _, line: pieces.append(len(line)))

    assert sum(pieces) == 100_000
    assert max(pieces) <= 16 * 1024


def test_time_up_ends_the_whole_group(ctx: BenchContext) -> None:
    started = time.monotonic()
    ended = ctx.run(["sh", "-c", "sleep 60 & echo $!; wait"], timeout=0.5)

    assert ended.timed_out
    assert ended.code == -signal.SIGTERM
    assert time.monotonic() - started < 20
    eventually(lambda: not is_alive(int(ended.stdout)))


def test_a_child_that_ignores_its_end_is_killed(ctx: BenchContext) -> None:
    def give_up(stream: str, line: str) -> None:
        ctx.given_up = True

    ended = ctx.run(["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"], on_line=give_up)

    assert (ended.stdout, ended.code) == ("deaf\n", -signal.SIGKILL)


def test_giving_up_ends_the_child(ctx: BenchContext) -> None:
    def give_up(stream: str, line: str) -> None:
        ctx.given_up = True

    ended = ctx.run(["sh", "-c", "echo started; sleep 60"], on_line=give_up)

    assert (ended.code, ended.timed_out) == (-signal.SIGTERM, False)


def test_a_crash_harms_nobody(ctx: BenchContext) -> None:
    assert ctx.run(["sh", "-c", "kill -9 $$"]).code == -signal.SIGKILL
    assert ctx.run(["sh", "-c", "kill -SEGV $$"]).code == -signal.SIGSEGV


def test_what_goes_on_in_the_background_is_not_waited_for(ctx: BenchContext) -> None:
    started = time.monotonic()
    pid = int(ctx.run(["sh", "-c", "sleep 60 & echo $!"]).stdout)
    assert time.monotonic() - started < 20
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_a_program_that_is_not_there(ctx: BenchContext) -> None:
    with pytest.raises(NonRecoverableError, match=r"no-such-program: No such file"):
        ctx.run(["no-such-program"])


def test_a_killed_engine_leaves_no_script(tmp_path: Path) -> None:
    engine = f"""
from pathlib import Path
from groundplan.runtime.foreign.machine import Machine
from groundplan.sdk.testing import context
with Machine(scratch=Path({str(tmp_path)!r})) as machine:
    script = "sleep 60 & echo $! $$ > {tmp_path}/pids.new; mv {tmp_path}/pids.new {tmp_path}/pids; wait"
    context(machine=machine).run(["sh", "-c", script])
"""
    process = subprocess.Popen([sys.executable, "-c", engine])
    eventually((tmp_path / "pids").exists)
    process.kill()
    process.wait()

    for pid in map(int, (tmp_path / "pids").read_text().split()):
        eventually(lambda pid=pid: not is_alive(pid))  # type: ignore[misc]


def patiently(folder: Path) -> str:
    """Return a script that writes down how it ended when it is interrupted, and says so to whoever still listens."""
    return f"trap 'echo bye; sleep 0.2; echo well > {folder}/ended; exit 7' INT; echo hi; while :; do sleep 0.05; done"


def test_who_has_a_grace_is_interrupted_and_ends_by_itself(ctx: BenchContext, tmp_path: Path) -> None:
    def give_up(stream: str, line: str) -> None:
        ctx.given_up = True

    ended = ctx.run(["sh", "-c", patiently(tmp_path)], on_line=give_up, grace=20)

    assert (ended.code, ended.stdout, (tmp_path / "ended").read_text()) == (7, "hi\nbye\n", "well\n")


@pytest.mark.parametrize(("grace", "ended"), [(20, "by itself"), (0.3, "interrupted")])
def test_who_has_a_grace_goes_on_without_its_engine_for_that_long(tmp_path: Path, grace: float, ended: str) -> None:
    write = f"echo $1 > {tmp_path}/ended"
    turns = "i=0; while [ $i -lt 30 ]; do echo $i; sleep 0.05; i=$((i+1)); done"
    script = f"end() {{ {write}; exit; }}; trap 'end interrupted' INT; {turns}; end 'by itself'"
    engine = f"""
from pathlib import Path
from groundplan.runtime.foreign.machine import Machine
from groundplan.sdk.testing import context
with Machine(scratch=Path({str(tmp_path)!r})) as machine:
    context(machine=machine).run(["sh", "-c", {script!r}], grace={grace}, on_line=lambda stream, line: print(line))
"""
    with subprocess.Popen([sys.executable, "-u", "-c", engine], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()

    eventually(lambda: (tmp_path / "ended").exists() and (tmp_path / "ended").read_text() == f"{ended}\n")


def test_secrets_are_not_in_the_arguments_of_the_process_between(ctx: BenchContext) -> None:
    listing = ctx.run(["sh", "-c", "ps -eo args"], environment={"PASSWORD": "hunter2-in-environment"}).stdout

    assert "hunter2-in-environment" not in listing


@pytest.fixture
def confined(tmp_path: Path) -> Iterator[BenchContext]:
    blueprint = tmp_path / "blueprint"
    (blueprint / "home").mkdir(parents=True)
    (blueprint / "canary").write_text("visible")
    (blueprint / "home" / "canary").write_text("hidden")
    machine = Machine(scratch=tmp_path, resource_folders=[blueprint], sandboxed=True, hidden=[blueprint / "home"])
    with machine:
        ctx = context(machine=machine, sandboxed=True, properties={"port": 80})
        try:
            ctx.run(["true"])
        except NonRecoverableError as refusal:
            pytest.skip(str(refusal))
        yield ctx


def test_confined_children_write_in_their_folder_only(confined: BenchContext, tmp_path: Path) -> None:
    assert confined.run(["sh", "-c", "echo x > here; echo x > /tmp/mine; cat here /tmp/mine"]).stdout == "x\nx\n"
    for place in (tmp_path / "blueprint/new", Path("/etc/groundplan-test"), Path("/proc/sys/kernel/hostname")):
        assert "Read-only" in confined.run(["sh", "-c", f"echo x > {place}"]).stderr
    confined.run(["sh", "-c", f"echo x > {tmp_path}/new"])
    assert not (tmp_path / "new").exists()
    assert not Path("/tmp/mine").exists()


def test_confined_children_read_the_blueprint_but_no_home(confined: BenchContext, tmp_path: Path) -> None:
    assert confined.run(["cat", f"{tmp_path}/blueprint/canary"]).stdout == "visible"
    assert confined.run(["cat", f"{tmp_path}/blueprint/home/canary"]).code != 0
    assert confined.run(["sh", "-c", f"ls -A {tmp_path}/home ~root/.bashrc ~root/.ssh /run"]).stdout == "/run:\n"


def test_confined_children_see_and_write_what_is_named_besides(confined: BenchContext, tmp_path: Path) -> None:
    hidden, kept = tmp_path / "blueprint" / "home", tmp_path / "kept"
    kept.mkdir()
    command = ["sh", "-c", f"cat {hidden}/canary; echo x > {kept}/new; echo x > {hidden}/new"]
    ended = confined.run(command, shown=[hidden], writable=[kept])

    assert (ended.stdout, "Read-only" in ended.stderr) == ("hidden", True)
    assert [path.name for path in (*hidden.iterdir(), *kept.iterdir())] == ["canary", "new"]


@pytest.mark.parametrize("kind", ["ctx", "confined"])
def test_an_interrupt_is_for_the_program_alone(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> None:
    ctx: BenchContext = request.getfixturevalue(kind)

    def give_up(stream: str, line: str) -> None:
        ctx.given_up = True

    # A shell that has job control would start it in a group of its own, and one without has it ignore interrupts.
    child = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); print('hi', flush=True); time.sleep(60)"
    program = f"""
import signal, subprocess, sys
interrupts = []
signal.signal(signal.SIGINT, lambda *_: interrupts.append(1) or child.terminate())
child = subprocess.Popen([sys.executable, "-c", {child!r}])
print(child.wait(), len(interrupts))
"""
    ended = ctx.run([sys.executable, "-c", program], on_line=give_up, grace=20)

    assert ended.stdout == f"hi\n{-signal.SIGTERM} 1\n"


def test_confined_children_are_interrupted_as_well(confined: BenchContext, tmp_path: Path) -> None:
    def give_up(stream: str, line: str) -> None:
        confined.given_up = True

    ended = confined.run(["sh", "-c", patiently(confined.folder)], on_line=give_up, grace=20)

    assert (ended.code, (confined.folder / "ended").read_text()) == (7, "well\n")


def test_confined_children_see_no_passwords_of_the_host(confined: BenchContext) -> None:
    assert confined.run(["sh", "-c", "cat /etc/shadow; ls /etc/ssh"]).stdout == ""


def test_confined_children_cannot_undo_it(confined: BenchContext, tmp_path: Path) -> None:
    for attempt in ("mount -o remount,rw /", f"umount {tmp_path}/blueprint/home", "umount /root"):
        assert confined.run(["sh", "-c", attempt]).code != 0


def test_confined_children_see_no_process_but_their_own(confined: BenchContext) -> None:
    own = confined.run(["sh", "-c", "ls -d /proc/[0-9]* | wc -l"])

    assert int(own.stdout) <= 5


def test_confined_children_reach_ctx(confined: BenchContext) -> None:
    with confined.serve() as proxy:
        ended = confined.run(["ctx", "node", "properties", "port"], environment={"CTX_SOCKET_URL": proxy.url})
        script = "from cloudify import ctx; print(ctx.node.properties['port'])"
        in_python = confined.run([sys.executable, "-c", script], environment={"CTX_SOCKET_URL": proxy.url})

    assert (ended.stdout, in_python.stdout) == ("80", "80\n")


def test_confined_children_end_with_all_they_started(confined: BenchContext) -> None:
    marker = "86399.25"
    assert confined.run(["sh", "-c", f"setsid sleep {marker} & exit 7"]).code == 7
    assert confined.run(["sh", "-c", f"setsid sleep {marker} & wait"], timeout=0.3).timed_out

    eventually(lambda: marker not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout)


def can_unshare() -> bool:
    return bool(shutil.which("unshare")) and subprocess.run(["unshare", "-Ur", "true"], check=False).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="no user namespace can be made here")
def test_where_the_kernel_refuses_nothing_is_run(tmp_path: Path) -> None:
    attempt = f"""
from pathlib import Path
from groundplan.runtime.foreign.machine import Machine
from groundplan.sdk.testing import context
with Machine(scratch=Path({str(tmp_path)!r}), sandboxed=True) as machine:
    context(machine=machine).run(["touch", "{tmp_path}/ran"])
"""
    # A user namespace in which no further one may be made.
    inside = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    command = ["unshare", "-Ur", "sh", "-c", inside, "sh", sys.executable, "-c", attempt]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert "NonRecoverableError: this machine cannot shut a script in (unshare: " in ended.stderr
    assert not (tmp_path / "ran").exists()


def test_unconfined_is_given_by_name(tmp_path: Path) -> None:
    with Machine(scratch=tmp_path, sandboxed=True, unconfined=True) as machine:
        context(machine=machine).run(["touch", f"{tmp_path}/outside"])

    assert (tmp_path / "outside").exists()
