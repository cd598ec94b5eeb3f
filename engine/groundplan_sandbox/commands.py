"""`groundplan sandbox ...`: starts, shows, empties and stops the sandbox of a home, and says so in plain words.

Loaded by every `groundplan --help`, so it imports nothing of the emulated world; `launch` starts that in its own
process. Exit codes: 0 done, 1 the world failed, 2 the caller must act.
"""

import importlib.util
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from groundplan_sandbox import launch
from groundplan_sandbox.binding import Binding, DamagedBindingError, is_running, read_binding
from groundplan_sandbox.control import ControlError, ask
from groundplan_sandbox.home import Home, current_home

_NEEDED = ("moto", "asyncssh", "flask", "uvicorn", "tf")


FAILED, CALLER = 1, 2
_DELAY = 0.2


class _Trouble(Exception):
    """What a command has to say instead of doing its work. `fix`: what the caller may do about it."""

    def __init__(self, message: str, code: int, fix: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.fix = fix


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """How a sandbox is to be started; see the options of `up`."""

    control_plane: Path | None = None
    unconfined: bool = False
    delay: float = _DELAY

    def differences(self, status: dict[str, Any]) -> list[tuple[str, str]]:
        """Return the options that a running sandbox was not started with, each with what that one does."""
        found, served = [], status["kubernetes"]
        if self.control_plane is not None and str(self.control_plane.expanduser().absolute()) != served:
            by = "the emulated API" if served == "emulated" else f"the programs in {served}"
            found.append(("--control-plane", f"serves its clusters by {by}"))
        if self.unconfined and status["confinement"] != "none":
            found.append(("--unconfined", "confines its machines"))
        # One that an older version started does not tell.
        if self.delay not in (_DELAY, status.get("state_delay")):
            found.append(("--state-delay", "keeps its own"))
        return found


@contextmanager
def _plain_words() -> Iterator[None]:
    """Turn what may go wrong with files and processes into words on standard error and an exit code."""
    try:
        yield
    except _Trouble as trouble:
        _fail(str(trouble), trouble.code, trouble.fix)
    except launch.LaunchError as error:
        _fail(str(error), error.exit_code)
    except ControlError as error:
        _fail(str(error), FAILED)
    except DamagedBindingError as error:
        _fail(str(error), CALLER)
    except OSError as error:
        _fail(f"{error.filename or 'the sandbox'}: {error.strerror or error}", CALLER)


def _fail(message: str, code: int, fix: str = "") -> NoReturn:
    click.echo(f"error: {message}", err=True)
    if fix:
        click.echo(f"  = fix: {fix}", err=True)
    raise click.exceptions.Exit(code)


@click.group()
def sandbox() -> None:
    """An emulated world for rehearsals: AWS and virtual machines on this computer.

    `up` binds the home (GROUNDPLAN_HOME): until `unbind`, nothing run in it reaches a real account. What was created
    in the sandbox is gone after `down`; its credentials stay.
    """


@sandbox.command()
@click.option("--foreground", is_flag=True, help="Serve in this terminal until Ctrl-C.")
@click.option("--unconfined", is_flag=True, help="Let commands on machines see this computer's files and processes.")
@click.option(
    "--state-delay",
    type=click.FloatRange(0, 600),
    default=_DELAY,
    show_default=True,
    metavar="SECONDS",
    help="How long emulated resources take, at least, to change state.",
)
@click.option(
    "--control-plane",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="GROUNDPLAN_CONTROL_PLANE",
    show_envvar=True,
    metavar="FOLDER",
    help="Serve clusters by the real kube-apiserver and its companions, found in FOLDER.",
)
def up(foreground: bool, unconfined: bool, state_delay: float, control_plane: Path | None) -> None:
    """Start the sandbox and bind this home to it."""
    home = current_home()
    asked = _Asked(control_plane=control_plane, unconfined=unconfined, delay=state_delay)
    with _plain_words():
        _require_libraries()
        if foreground:
            _serve_here(home, asked)
            return
        began = time.monotonic()
        running = is_running(home)
        status = (
            None
            if running
            else launch.start(home, delay=state_delay, confined=not unconfined, control_plane=control_plane)
        )
        if status is None:
            _wait_for_the_other(home)
            _tell_already_up(home, asked)
            return
    click.echo(f"The sandbox of {home.root} is up ({time.monotonic() - began:.1f} s).")
    _show(status)


@sandbox.command()
def down() -> None:
    """Stop the sandbox and everything it started; the home stays bound to it."""
    home = current_home()
    with _plain_words():
        if not is_running(home):
            click.echo(f"The sandbox of {home.root} is down.")
            return
        if not launch.stop(home, launch.lock_owner(home)):
            raise _Trouble(f"the sandbox did not stop by itself and was killed; see {home.log}", FAILED)
    click.echo(f"The sandbox of {home.root} is down. What was created in it is gone; its credentials stay.")


@sandbox.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show what runs in the sandbox."""
    home = current_home()
    with _plain_words():
        found = _status(home)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif found["running"]:
        click.echo(f"The sandbox of {home.root} is up.")
        _show(found)
    else:
        click.echo(f"The sandbox of {home.root} is down. Start it: groundplan sandbox up")


@sandbox.command()
def reset() -> None:
    """Delete everything created in the sandbox, without a restart."""
    home = current_home()
    with _plain_words():
        binding = _running_binding(home)
        answer = ask(binding.control, "reset", timeout=60)
    click.echo(f"The sandbox is empty; machines ended: {answer['machines_ended']}.")


@sandbox.group()
def faults() -> None:
    """Make a share of the calls to the emulated AWS go wrong, to rehearse a bad day.

    A rule counts its calls from the moment it is set: the same calls in the same order meet the same faults. It ends
    when it is used up, cleared, or the sandbox goes down.
    """


@faults.command("set")
@click.argument("service")
@click.argument("operation", default="*")
@click.option("--kind", type=click.Choice(["throttle", "fail", "lose", "hang"]), default="throttle", show_default=True)
@click.option(
    "--share", type=click.FloatRange(0, 1, min_open=True), default=0.3, show_default=True, help="Of the calls."
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Faults, at most.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed spoils other calls.")
@click.option("--seconds", type=click.FloatRange(0, 300, min_open=True), default=5, show_default=True, help="To hang.")
@click.option("--code", default="InternalError", show_default=True, help="What a failing call is told.")
@click.option("--status", type=click.IntRange(400, 599), default=500, show_default=True, help="Its HTTP status.")
def set_fault(**rule: Any) -> None:
    """Spoil calls to SERVICE (ec2, eks, rds, cloudformation, iam, sts, s3, or * for all), or only its OPERATION.

    throttle: refused as too many requests. fail: refused with --code. lose: carried out, but the caller is told that
    it failed. hang: answered after --seconds.
    """
    with _plain_words():
        answer = ask(_running_binding(current_home()).control, "set-fault", timeout=10, **rule)
        if "refused" in answer:
            raise _Trouble(answer["refused"], CALLER)
    click.echo(f"From now on, {rule['limit']} times at most: {_fault_words(rule)}.")


@faults.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_faults(as_json: bool) -> None:
    """Show the rules in force, and what they did."""
    with _plain_words():
        found = ask(_running_binding(current_home()).control, "status", timeout=10)["faults"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif not found:
        click.echo("No faults: every call is answered as it should be.")
    else:
        _show_faults(found)


@faults.command("clear")
def clear_faults() -> None:
    """Let every call be answered as it should be."""
    with _plain_words():
        answer = ask(_running_binding(current_home()).control, "clear-faults", timeout=10)
    click.echo(f"Rules taken back: {answer['cleared']}.")


@sandbox.command()
def secrets() -> None:
    """Print the sandbox's credentials as JSON for `groundplan secrets import -`."""
    credentials = importlib.import_module("groundplan_sandbox.credentials")
    with _plain_words():
        try:
            found = credentials.load_or_create(current_home())
        except credentials.UnreadableCredentialsError as error:
            raise _Trouble(str(error), CALLER) from error
    click.echo(json.dumps(found.as_secrets(), indent=2))


@sandbox.command()
def unbind() -> None:
    """Remove the binding: what runs in this home reaches real accounts again."""
    home = current_home()
    with _plain_words():
        if is_running(home):
            raise _Trouble("the sandbox is up", CALLER, "stop it first: groundplan sandbox down")
        if not home.binding.exists():
            click.echo(f"{home.root} is not bound to a sandbox.")
            return
        home.binding.unlink()
    click.echo(f"{home.root} is no longer bound to a sandbox.")


def _status(home: Home) -> dict[str, Any]:
    binding = read_binding(home)
    if binding is None or not is_running(home):
        return {"running": False, "bound": binding is not None, "home": str(home.root)}
    return {"bound": True, **ask(binding.control, "status", timeout=10)}


def _running_binding(home: Home) -> Binding:
    binding = read_binding(home)
    if binding is None or not is_running(home):
        raise _Trouble("the sandbox of this home is down", CALLER, "start it: groundplan sandbox up")
    return binding


def _wait_for_the_other(home: Home) -> None:
    """Two `up` at once: the loser returns when the winner serves."""
    deadline = time.monotonic() + launch.START_PATIENCE
    while is_running(home):
        binding = read_binding(home) if home.binding.exists() else None
        if binding is not None and binding.pid == launch.lock_owner(home):
            return
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    raise _Trouble(f"another process began to start the sandbox and did not finish; see {home.log}", FAILED)


def _tell_already_up(home: Home, asked: _Asked) -> None:
    """Say that a sandbox runs, and which options it was not started with: it goes on as it is."""
    click.echo(f"The sandbox of {home.root} is already up.")
    if asked == _Asked():
        return
    ignored = asked.differences(ask(_running_binding(home).control, "status", timeout=10))
    for option, stands in ignored:
        click.echo(f"warning: {option} was ignored: the sandbox that runs {stands}.", err=True)
    if ignored:
        click.echo(
            "  = fix: start it anew, which empties it: groundplan sandbox down, then this command again", err=True
        )


def _serve_here(home: Home, asked: _Asked) -> None:
    surroundings = launch.environment(home)
    os.environ.clear()
    os.environ.update(surroundings)
    # Loaded here because it costs a second: only this command needs the emulated world in its own process.
    serve: Callable[..., int] = importlib.import_module("groundplan_sandbox.daemon").serve
    code = serve(
        home,
        delay=asked.delay,
        confined=not asked.unconfined,
        report=lambda message: _report_here(home, message, asked),
        control_plane=asked.control_plane,
    )
    if code:
        raise click.exceptions.Exit(code)


def _report_here(home: Home, message: dict[str, Any], asked: _Asked) -> None:
    if "ready" in message:
        click.echo(f"The sandbox of {home.root} is up; Ctrl-C stops it.")
        _show(message["ready"])
    elif "already" in message:
        _tell_already_up(home, asked)
    else:
        click.echo(f"error: {message['error']}", err=True)


def _show(status: dict[str, Any]) -> None:
    click.echo(f"  process      {status['pid']}, up {status['uptime_seconds']:.0f} s")
    for service, url in status["services"].items():
        click.echo(f"  {service:<12} {url}")
    click.echo(f"  kubernetes   {status['kubernetes']}")
    if status["refusal"]:
        click.echo(f"  confinement  refused by this system: {status['refusal']}")
        click.echo("  No machine will start; `--unconfined` starts them all the same, for your own blueprints.")
    else:
        click.echo(f"  confinement  {status['confinement']}")
    click.echo(f"  machines     {len(status['machines'])}")
    for machine in status["machines"]:
        click.echo(f"    {machine['id']}  {machine['state']:<13} {', '.join(machine['addresses']) or '-'}")
    if status["faults"]:
        click.echo(f"  faults       {len(status['faults'])}")
        _show_faults(status["faults"])


def _show_faults(rules: list[dict[str, Any]]) -> None:
    for rule in rules:
        used = " (used up)" if rule["dealt"] >= rule["limit"] else ""
        click.echo(
            f"    {_fault_words(rule)}: {rule['dealt']} of {rule['met']} calls spoiled, {rule['limit']} at most{used}"
        )


def _fault_words(rule: dict[str, Any]) -> str:
    what = {"fail": f"fail with {rule['code']}", "hang": f"hang for {rule['seconds']:g} s"}.get(
        rule["kind"], rule["kind"]
    )
    calls = rule["service"] if rule["operation"] == "*" else f"{rule['service']} {rule['operation']}"
    return f"{what} {rule['share']:.0%} of {calls}"


def _require_libraries() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise _Trouble(f"the sandbox needs {', '.join(missing)}", CALLER, "pip install 'groundplan[sandbox]'")
