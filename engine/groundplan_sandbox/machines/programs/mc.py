"""mc, MinIO's client: alias, mb, rb, ls, cp, cat, rm, ready. Aliases lie in the caller's ~/.mc/config.json.

A command whose server is still starting tries again for ten seconds.
"""

import json
import os
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

from .accounts import split_options
from .machine import Machine, ProgramError
from .s3 import Client, S3Error

_WITH_VALUE = {"--region", "--api", "--path", "-C", "--config-dir", "--attr"}
_PLAIN = {"--ignore-existing", "-p", "--force", "-r", "--recursive", "--json", "--quiet", "-q", "--insecure"}
_PLAIN |= {"--with-lock", "-l", "--no-color", "--dangerous"}


def mc(machine: Machine, arguments: list[str]) -> int:
    """mc's commands; 1 with S3's own words when the server refuses."""
    if arguments[:1] in (["--version"], ["-v"]):
        sys.stdout.write("mc version SANDBOX\n")
        return 0
    options, words = split_options(arguments, _WITH_VALUE, _PLAIN)
    verb, operands = (words[0], words[1:]) if words else ("", [])
    if verb not in _VERBS:
        raise ProgramError(f"the sandbox does not know 'mc {verb}'")
    try:
        return _VERBS[verb](machine, operands, options)
    except S3Error as error:
        raise ProgramError(f"<ERROR> {error} ({error.code})") from error
    except OSError as error:
        raise ProgramError(f"<ERROR> {error.strerror or error}") from error


def _alias(machine: Machine, operands: list[str], _: dict[str, str]) -> int:
    if operands[:1] == ["set"] and len(operands) == 5:
        name, url, access_key, secret_key = operands[1:]
        client = Client(url=_reachable(machine, url), access_key=access_key, secret_key=secret_key)
        client.buckets()
        _save(_aliases() | {name: {"url": client.url, "accessKey": access_key, "secretKey": secret_key}})
        sys.stdout.write(f"Added `{name}` successfully.\n")
    elif operands[:1] in (["remove"], ["rm"]) and len(operands) == 2:
        _save({name: alias for name, alias in _aliases().items() if name != operands[1]})
    elif operands[:1] in (["list"], ["ls"]):
        for name, alias in _aliases().items():
            sys.stdout.write(f"{name}\n  URL : {alias['url']}\n")
    else:
        raise ProgramError("usage: mc alias set NAME URL ACCESSKEY SECRETKEY | list | remove NAME")
    return 0


def _make_bucket(_: Machine, operands: list[str], options: dict[str, str]) -> int:
    for operand in operands:
        client, bucket, _key = _remote(operand)
        try:
            client.make_bucket(bucket, options.get("--region"))
        except S3Error as error:
            kept = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}
            if error.code not in kept or not {"--ignore-existing", "-p"} & set(options):
                raise
        sys.stdout.write(f"Bucket created successfully `{operand}`.\n")
    return 0


def _remove_bucket(_: Machine, operands: list[str], options: dict[str, str]) -> int:
    for operand in operands:
        client, bucket, _key = _remote(operand)
        if "--force" in options:
            for entry in client.entries(bucket, ""):
                client.remove(bucket, entry.key)
        client.remove_bucket(bucket)
        sys.stdout.write(f"Removed `{operand}` successfully.\n")
    return 0


def _list(_: Machine, operands: list[str], __: dict[str, str]) -> int:
    client, bucket, prefix = _remote(operands[0])
    if not bucket:
        for name in client.buckets():
            sys.stdout.write(f"{name}/\n")
        return 0
    for entry in client.entries(bucket, prefix):
        sys.stdout.write(f"{entry.size}B {entry.key}\n")
    return 0


def _copy(_: Machine, operands: list[str], __: dict[str, str]) -> int:
    if len(operands) != 2:
        raise ProgramError("usage: mc cp SOURCE TARGET")
    source, target = operands
    content = _read(source)
    if not _is_remote(target):
        path = Path(target)
        (path / os.path.basename(source) if path.is_dir() else path).write_bytes(content)
        return 0
    client, bucket, key = _remote(target)
    if not key or key.endswith("/"):
        key += os.path.basename(source)
    client.put(bucket, key, content)
    return 0


def _cat(_: Machine, operands: list[str], __: dict[str, str]) -> int:
    for operand in operands:
        sys.stdout.buffer.write(_read(operand))
    return 0


def _remove(_: Machine, operands: list[str], options: dict[str, str]) -> int:
    for operand in operands:
        client, bucket, key = _remote(operand)
        recursive = {"-r", "--recursive"} & set(options)
        keys = [entry.key for entry in client.entries(bucket, key)] if recursive else [key]
        for each in keys:
            client.remove(bucket, each)
        sys.stdout.write(f"Removed `{operand}`.\n")
    return 0


def _ready(_: Machine, operands: list[str], __: dict[str, str]) -> int:
    _remote(operands[0])[0].buckets()
    sys.stdout.write("The cluster is ready\n")
    return 0


_VERBS = {
    "alias": _alias,
    "cat": _cat,
    "cp": _copy,
    "ls": _list,
    "mb": _make_bucket,
    "rb": _remove_bucket,
    "ready": _ready,
    "rm": _remove,
}


def _read(name: str) -> bytes:
    if not _is_remote(name):
        return Path(name).read_bytes()
    client, bucket, key = _remote(name)
    return client.get(bucket, key)


def _is_remote(name: str) -> bool:
    return name.partition("/")[0] in _aliases()


def _remote(name: str) -> tuple[Client, str, str]:
    """The client, bucket and key of ALIAS/BUCKET/KEY."""
    alias, _, rest = name.partition("/")
    known = _aliases().get(alias)
    if known is None:
        raise ProgramError(f"<ERROR> no alias `{alias}`: mc alias set {alias} URL ACCESSKEY SECRETKEY")
    bucket, _, key = rest.partition("/")
    return Client(url=known["url"], access_key=known["accessKey"], secret_key=known["secretKey"]), bucket, key


def _reachable(machine: Machine, url: str) -> str:
    """Where a machine has no loopback of its own, its localhost is its first address."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ProgramError(f"<ERROR> the sandbox's mc speaks plain HTTP, as in http://localhost:9000, not {url}")
    if machine.confined or not re.fullmatch(r"localhost|127\.0\.0\.1", parts.hostname):
        return url.rstrip("/")
    return f"http://{machine.ask({'op': 'machine'})['addresses'][0]}:{parts.port or 80}"


def _config() -> Path:
    return Path(os.environ.get("HOME", "/root")) / ".mc" / "config.json"


def _aliases() -> dict[str, dict[str, str]]:
    path = _config()
    aliases: dict[str, dict[str, str]] = json.loads(path.read_text())["aliases"] if path.exists() else {}
    return aliases


def _save(aliases: dict[str, dict[str, str]]) -> None:
    path = _config()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"config.{os.getpid()}.new")
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps({"version": "10", "aliases": aliases}, indent=1))
    temporary.replace(path)
