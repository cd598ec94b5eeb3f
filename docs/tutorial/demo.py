"""The tutorial as a program: types what a user would type, each line echoed before it runs, and runs it.

`up` goes on from wherever an earlier run stopped; `down` takes everything away, at any stage. It knows nothing of the
engine but its commands; between them it only looks, with `--json`, at what there is, to choose the next line. `show.py`
asks the cluster how the workload is. Standard library only.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

CHECKOUT: Final = Path(__file__).resolve().parents[2]
HOME: Final = CHECKOUT / ".demo"
BIN: Final = Path(sys.executable).parent
KINDS: Final = {"dev-small": "app_dev_small", "dev-large": "app_dev_large", "production": "app_prod"}
"""The kinds of environment, with the deployments that the demo makes of them."""
PATIENCE: Final = 120
"""Seconds that cancelled executions may take to end."""
SETTLED: Final = {"terminated"}
ENDED: Final = SETTLED | {"failed", "cancelled"}


class Stopped(Exception):
    """A command failed and has said why; the demo ends with its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


def up(env_type: str) -> None:
    """Bring the environment up, or go on where an earlier run stopped. Raises Stopped."""
    deployment = KINDS[env_type]
    begin_again_if_the_world_is_gone()
    start_sandbox()
    run("groundplan blueprints upload --all blueprints/")
    run("groundplan secrets import secrets.example.json")
    run("groundplan sandbox secrets | groundplan secrets import -")
    if look("deployments list").get(deployment) is None:
        run(f"groundplan deployments create {deployment} -b app -i {shlex.quote('env_type=' + env_type)}")
    else:
        say(f"The deployment {deployment} is there already; it is kept.")
    install(deployment)
    run(f"groundplan deployments capabilities {deployment}")
    say("How the cluster's own API tells it. Pods do not run here: that they are Ready is the sandbox's word.")
    run(f"groundplan deployments capabilities {deployment} --json --reveal | python docs/tutorial/show.py")
    offers = {name: item["value"] for name, item in look(f"deployments capabilities {deployment}").items()}
    print(further(deployment, offers), end="")


def begin_again_if_the_world_is_gone() -> None:
    """A sandbox that was stopped has lost all that the home's records speak of: the home goes as well."""
    if not HOME.exists() or look("sandbox status")["running"] or not look("deployments list"):
        return
    say("The sandbox of the last run was stopped, and what stood in it is gone. The demo begins anew.")
    run("rm -rf .demo")


def start_sandbox() -> None:
    """Start the sandbox; where the kernel confines no machine, start it without confinement and say so."""
    run("groundplan sandbox up")
    if look("sandbox status")["refusal"]:
        say("This system cannot confine machines: the demo's scripts, which we wrote, run as your own processes.")
        run("groundplan sandbox down")
        run("groundplan sandbox up --unconfined")


def install(deployment: str) -> None:
    """Start the install workflow, or resume the execution that was cut off, or leave what stands."""
    for execution in unfinished(deployment):
        say(f"The {execution['workflow_id']} of an earlier run did not finish ({execution['status']}); it goes on.")
        say("What was cut off is run again (--reset-operations): the scripts of blueprints/ may be run twice.")
        resume(f"groundplan executions resume --reset-operations {execution['id']}")
    if look("deployments list")[deployment]["installation_status"] == "active":
        say(f"{deployment} is installed.")
    else:
        run(f"groundplan executions start install -d {deployment}")


def resume(command: str) -> None:
    """Resume; and once more where a script that outlived the engine on its machine ended badly for want of it."""
    try:
        run(command)
    except Stopped:
        say("Once more: what went on without the engine has ended by now, and is run again.")
        run(command)


def down() -> int:
    """Take everything away, and give the exit code: what fails is told, and the rest goes all the same."""
    if not HOME.exists():
        print("There is no demo to take down: .demo is not there.")
        return 0
    code = 0
    try:
        if look("sandbox status")["running"]:
            uninstall_everything()
        else:
            say("The sandbox is down: what stood in it is gone already, and needs no uninstall.")
    except Stopped as stopped:
        say("That failed; what it left behind ends with the sandbox.")
        code = stopped.code
    run("groundplan sandbox down")
    run("groundplan sandbox unbind")
    run("rm -rf .demo")
    say("Nothing of the demo is left: no process, no machine, no file." if code == 0 else "Taken down by force.")
    return code


def uninstall_everything() -> None:
    """Uninstall and delete each deployment that a person made; those that components made go with them."""
    cancel_what_runs()
    for name, deployment in look("deployments list").items():
        if deployment["owner"] is not None:
            continue
        if stands(name):
            run(f"groundplan executions start uninstall -d {name}")
        run(f"groundplan deployments delete {name}")


def cancel_what_runs() -> None:
    """Cancel each execution that was started by a person, its children with it, and wait until all have ended."""
    for execution in running():
        if execution["parent_execution"] is None:
            run(f"groundplan executions cancel {execution['id']}")
    deadline = time.monotonic() + PATIENCE
    while running() and time.monotonic() < deadline:
        time.sleep(0.5)


def running() -> list[dict[str, Any]]:
    """The executions that have not ended."""
    return [item for item in look("executions list").values() if item["status"] not in ENDED]


def stands(deployment: str) -> bool:
    """Whether anything was run in the deployment that was not uninstalled since."""
    executions = ask(f"groundplan executions list -d {deployment} --json")
    return bool(executions) and (executions[-1]["workflow_id"], executions[-1]["status"]) != ("uninstall", "terminated")


def unfinished(deployment: str) -> list[dict[str, Any]]:
    """The deployment's latest execution, when it did not come to its end; otherwise nothing."""
    executions = ask(f"groundplan executions list -d {deployment} --json")
    return [execution for execution in executions[-1:] if execution["status"] not in SETTLED]


def look(what: str) -> dict[str, Any]:
    """What a reading command answers, lists by id. Not echoed: it chooses the next line, and is no part of the job."""
    answer = ask(f"groundplan {what} --json")
    return {item["id"]: item for item in answer} if isinstance(answer, list) else answer


def ask(command: str) -> Any:
    """The JSON that a command prints; its complaints reach the terminal. Raises Stopped."""
    done = subprocess.run(["sh", "-c", command], cwd=CHECKOUT, env=environment(), stdout=subprocess.PIPE)
    if done.returncode:
        raise Stopped(done.returncode)
    return json.loads(done.stdout)


def run(command: str) -> None:
    """Echo a command line and run it with this terminal as its own. Raises Stopped when it fails."""
    print(f"\n$ {command}", flush=True)
    done = subprocess.run(["sh", "-c", command], cwd=CHECKOUT, env=environment())
    if done.returncode:
        raise Stopped(done.returncode if done.returncode > 0 else 128 - done.returncode)


def environment() -> dict[str, str]:
    """What the two `export` lines make of this process's environment."""
    return os.environ | {"GROUNDPLAN_HOME": str(HOME), "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def say(text: str) -> None:
    """Print a remark of the demo's own."""
    print(f"\n# {text}", flush=True)


def further(deployment: str, offers: dict[str, str]) -> str:
    """What to try next, with this environment's addresses in it."""
    lines = (
        ("groundplan deployments list", "what stands, and what made it"),
        (f"groundplan events list -d {deployment}", "what happened"),
        (f"groundplan deployments capabilities {deployment} --reveal", "the password and the kubeconfig too"),
        ("kubectl --kubeconfig .demo/kubeconfig -n app get all", "the workload"),
        ("psql -h {db_host} -p {db_port} -U {db_master_username} {db_name}".format(**offers), "wants the password"),
        ("mc, boto3: {bucket_url}".format(**offers), "keys: secrets aws_access_key_id, aws_secret_access_key"),
    )
    width = max(len(command) for command, _ in lines) + 2
    shown = "".join(f"  {command:<{width}}{remark}\n" for command, remark in lines)
    others = ", ".join(kind for kind in KINDS if KINDS[kind] != deployment)
    return (
        f"\nLook further, after the two export lines above:\n{shown}"
        f"Put another environment beside it ({others}):\n  make demo ENV_TYPE=KIND\n"
        "Take everything down:\n  make demo-down\n"
    )


def main(arguments: list[str]) -> int:
    """Run `up` or `down`, and give the exit code of the command that failed, else 0."""
    # A handler, not SIG_IGN, which children would inherit: Ctrl-C is for the command that runs, and it ends the demo.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    if arguments not in (["up"], ["down"]):
        print("usage: demo.py up|down", file=sys.stderr)
        return 2
    if shutil.which("sh") is None:
        print("error: the demo needs a POSIX shell", file=sys.stderr)
        return 2
    env_type = os.environ.get("ENV_TYPE") or "dev-small"
    if env_type not in KINDS:
        print(f"error: ENV_TYPE is {env_type!r}, and must be one of {', '.join(KINDS)}", file=sys.stderr)
        return 2
    programs = f"$PWD/{BIN.relative_to(CHECKOUT)}" if BIN.is_relative_to(CHECKOUT) else str(BIN)
    print(f"$ export GROUNDPLAN_HOME=$PWD/{HOME.name}\n$ export PATH={programs}:$PATH", flush=True)
    try:
        if arguments == ["down"]:
            return down()
        up(env_type)
    except Stopped as stopped:
        say("The demo stopped there; `make demo` goes on from where it is, `make demo-down` takes it down.")
        return stopped.code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
