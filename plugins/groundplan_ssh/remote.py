"""What happens on the host: a script started apart from the connection, followed, collected, removed (all in sh).

The script outlives the connection and the engine. It lies in a folder of mode 0700 from `mktemp -d`; its exit code, its
output and what it told `ctx` lie in `~/.groundplan/attempts/ATTEMPT` until somebody has collected them. The programs
need a POSIX shell and the usual small tools, no SFTP. Whether to start or to go on is `attempts`' decision.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from shlex import quote
from typing import Final

from groundplan.sdk.errors import NonRecoverableError

ENDED: Final = 0
NO_FOLDER: Final = 91
GONE: Final = 93
UNKNOWN: Final = 94
"""Exit statuses of the programs below: the script ended; no folder can be made; the script's process is gone without
an exit code; the host knows no such attempt."""

_SKIPPED_BYTES: Final = 8 * 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A script to run on a host.

    Attributes:
        name: its file name.
        prefix: words before its path, for example `python3`; empty to start it by itself.
        arguments: words after its path.
        environment: variables that it gets; their values are never seen in a list of processes.
        files: further files for its folder, by path; those under `bin/` can be executed.
        cwd: working folder; empty for the home folder.
        base_dir: where its folder is made.
    """

    name: str
    content: bytes = field(repr=False)
    prefix: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    cwd: str = ""
    base_dir: str = "/tmp"  # noqa: S108 - mktemp -d makes a folder of its own in it
    use_sudo: bool = False


def start(attempt: str, job: Job) -> bytes:
    """Return the program that puts the job on the host, starts it, and follows it.

    Raises:
        NonRecoverableError: the script holds a NUL byte.
    """
    if b"\0" in job.content:
        raise NonRecoverableError(f"{job.name} is not text: the ssh plugin sends scripts, no programs")
    files = {
        f"script/{job.name}": job.content,
        **job.files,
        "environment": _exports(job.environment),
        "run": _run(job),
        "watch": _watch(job),
    }
    head = f"""umask 077
{_record(attempt)}
mkdir -p "${{record%/*}}" && mkdir "$record" || exit {NO_FOLDER}
work=$(mktemp -d {quote(job.base_dir)}/groundplan-XXXXXXXX) || {{ rmdir "$record"; exit {NO_FOLDER}; }}
printf %s "$work" > "$record/work"
"""
    launch = """chmod 700 "$work/script/"* "$work/bin/"* 2>/dev/null
if command -v setsid >/dev/null 2>&1; then apart=setsid; else apart=nohup; fi
GROUNDPLAN_WORK=$work GROUNDPLAN_RECORD=$record $apart sh "$work/watch" </dev/null >/dev/null 2>"$record/trouble" &
tries=0
while [ ! -s "$record/pid" ] && [ $tries -lt 100 ]; do tries=$((tries + 1)); sleep 0.05 2>/dev/null || sleep 1; done
out=1 err=1
"""
    return head.encode() + b"".join(_file(path, content) for path, content in files.items()) + launch.encode() + _FOLLOW


def follow(attempt: str, shown: Mapping[str, int]) -> bytes:
    """Return the program that shows the output of a started job and ends when the job does.

    Args:
        shown: how many bytes of `out` and of `err` were shown before.
    """
    head = f'{_record(attempt)}\n[ -d "$record" ] || exit {UNKNOWN}\n'
    return f"{head}out={shown.get('out', 0) + 1} err={shown.get('err', 0) + 1}\n".encode() + _FOLLOW


def collect(attempt: str) -> bytes:
    """Return the program that prints the exit code, and on the next lines what the job told `ctx`."""
    return f'{_record(attempt)}\ncat "$record/exit" && cat "$record/said" 2>/dev/null\nexit 0\n'.encode()


def clean(attempt: str) -> bytes:
    """Return the program that removes all that the attempt left on the host."""
    return f"""{_record(attempt)}
work=$(cat "$record/work" 2>/dev/null)
for folder in "$work" "$record"; do
  case $folder in
    */groundplan-????????|*/.groundplan/attempts/*)
      rm -rf "$folder" 2>/dev/null || sudo -n rm -rf "$folder" 2>/dev/null ;;
  esac
done
exit 0
""".encode()


def end(attempt: str) -> bytes:
    """Return the program that ends a job that still runs, with all its processes."""
    return f"""{_record(attempt)}
pid=$(cat "$record/pid" 2>/dev/null) || exit 0
for number in TERM KILL; do
  kill -$number "-$pid" 2>/dev/null || kill -$number "$pid" 2>/dev/null
  sudo -n kill -$number "-$pid" 2>/dev/null
  tries=0
  while kill -0 "$pid" 2>/dev/null && [ $tries -lt 20 ]; do tries=$((tries + 1)); sleep 0.1 2>/dev/null || sleep 1; done
done
exit 0
""".encode()


# Shows what is new in the two outputs until the exit code is there. Of a long backlog only the end is shown.
_FOLLOW: Final = f"""
show() {{
  size=$(wc -c < "$1" 2>/dev/null) || size=0
  size=$((size))
  from=$2
  if [ $((size - from)) -gt {_SKIPPED_BYTES} ]; then
    from=$((size - 65536))
    echo "... output left out ..."
  fi
  [ "$size" -ge "$from" ] && tail -c "+$from" "$1" | head -c $((size - from + 1))
  next=$((size + 1))
}}
rounds=0
while :; do
  ended=
  [ -f "$record/exit" ] && ended=yes
  show "$record/out" $out; out=$next
  show "$record/err" $err >&2; err=$next
  [ -n "$ended" ] && exit {ENDED}
  pid=$(cat "$record/pid" 2>/dev/null)
  if [ -z "$pid" ] || ! kill -0 "$pid" 2>/dev/null; then
    [ -f "$record/exit" ] || {{ cat "$record/trouble" >&2 2>/dev/null; exit {GONE}; }}
    continue
  fi
  rounds=$((rounds + 1))
  if [ $rounds -lt 50 ]; then pause=0.1; else pause=0.5; fi
  sleep $pause 2>/dev/null || sleep 1
done
""".encode()


def _record(attempt: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", attempt).lstrip(".")
    return f'record="${{HOME:-/tmp}}/.groundplan/attempts/{name}"'


def _file(path: str, content: bytes) -> bytes:
    """Return the lines that write a file; its text travels inside the program."""
    folder, _, _ = path.rpartition("/")
    mark = f"end-{secrets.token_hex(16)}"
    make = f'mkdir -p "$work/"{quote(folder)}\n' if folder else ""
    tail = b"" if content.endswith(b"\n") else b"\n"
    return f"{make}cat > \"$work/\"{quote(path)} <<'{mark}'\n".encode() + content + tail + f"{mark}\n".encode()


def _exports(environment: Mapping[str, str]) -> bytes:
    return "".join(f"export {name}={quote(value)}\n" for name, value in environment.items()).encode()


def _watch(job: Job) -> bytes:
    """Return the program that runs the job and leaves its exit code; it has a process group of its own."""
    words = "sudo -n sh" if job.use_sudo else "sh"
    return f"""record=$GROUNDPLAN_RECORD
echo $$ > "$record/pid"
{words} "$GROUNDPLAN_WORK/run" "$GROUNDPLAN_WORK" "$record" </dev/null >"$record/out" 2>"$record/err"
echo $? > "$record/exit.new"
mv "$record/exit.new" "$record/exit"
""".encode()


def _run(job: Job) -> bytes:
    script = f'"$work/script/"{quote(job.name)}'
    words = " ".join([*map(quote, job.prefix), script, *map(quote, job.arguments)])
    folder = f"cd {quote(job.cwd)} || exit 1" if job.cwd else 'cd "${HOME:-/}" 2>/dev/null || cd /'
    return f"""work=$1 CTX_JOURNAL=$2/said CTX_INPUTS=$1/inputs.json
export CTX_JOURNAL CTX_INPUTS
unset GROUNDPLAN_WORK GROUNDPLAN_RECORD
. "$work/environment"
PATH=$work/bin:$PATH
PYTHONPATH=$work/python${{PYTHONPATH:+:$PYTHONPATH}}
export PATH PYTHONPATH
umask 022
{folder}
exec {words}
""".encode()
