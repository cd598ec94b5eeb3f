"""Where a script comes from: the blueprint, its text in the blueprint, or a web server; and how it is started.

Runs nothing. `tasks` puts it into the attempt's folder and runs it.
"""

import ssl
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError, RecoverableError
from groundplan.sdk.scripts import ProcessOptions

_FETCH_SECONDS: Final = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """A script's file name and content."""

    name: str
    content: bytes


def find(ctx: OperationContext, path: str, text: str, certificate: str) -> Script:
    """Return the script that the inputs `script_path` and `script_source` mean.

    Args:
        certificate: PEM of the authorities to trust when it is fetched over https; empty for the system's.

    Raises:
        NonRecoverableError: there is none, or it may not be had.
        RecoverableError: the web server did not answer.
    """
    if text:
        return Script(name="script.py" if _is_python(text) else "script.sh", content=text.encode())
    if not path:
        raise NonRecoverableError("give script_path or script_source")
    if path.startswith(("http://", "https://")):
        return Script(name=path.rpartition("/")[2] or "script", content=_fetch(ctx, path, certificate))
    if "://" in path:
        raise NonRecoverableError(f"{path}: a script comes from the blueprint's folder, or over http and https")
    return Script(name=path.rpartition("/")[2], content=ctx.resources.read(path))


def command(path: Path, script: Script, options: ProcessOptions) -> list[str]:
    """Return the words that start a script that lies at `path` (spec 7.3)."""
    if options.command_prefix:
        start = [*options.command_prefix, str(path)]
    elif options.eval_python or (options.eval_python is None and path.suffix == ".py"):
        start = [sys.executable, str(path)]
    elif path.suffix == ".ps1":
        start = ["powershell", str(path)]
    elif script.content.startswith(b"#!"):
        start = [str(path)]
    else:
        start = ["sh", str(path)]
    return [*start, *options.args]


def _is_python(text: str) -> bool:
    if text.startswith("#!"):
        return "python" in text.splitlines()[0]
    try:
        compile(text, "script_source", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def _fetch(ctx: OperationContext, url: str, certificate: str) -> bytes:
    if ctx.plugin.sandboxed:
        raise NonRecoverableError(f"{url}: a sandboxed home fetches no scripts; put it into the blueprint's folder")
    trust = ssl.create_default_context(cadata=certificate or None) if url.startswith("https") else None
    try:
        with urllib.request.urlopen(url, timeout=_FETCH_SECONDS, context=trust) as response:  # noqa: S310 - http or https
            if response.status != 200:
                raise NonRecoverableError(f"{url}: the server answered {response.status}")
            content: bytes = response.read()
            return content
    except urllib.error.HTTPError as error:
        error.close()
        raise NonRecoverableError(f"{url}: the server answered {error.code}") from error
    except OSError as error:
        raise RecoverableError(f"{url}: {error}") from error
