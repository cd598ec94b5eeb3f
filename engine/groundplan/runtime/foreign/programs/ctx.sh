#!/bin/sh
# -*- coding: utf-8 -*-
''':'
# The ctx command: tells the operation that started a script what the script says (CTX_SOCKET_URL).
# Runs in Python 2.7 or later; without Python in sh with curl. Nothing secret stands in the arguments of a process.
[ -n "$CTX_PYTHON" ] && exec "$CTX_PYTHON" -ES "$0" "$@"
if [ -z "$CTX_WITHOUT_PYTHON" ]; then
  for python in /usr/bin/python3 /usr/libexec/platform-python python3 python python2; do
    command -v "$python" >/dev/null 2>&1 && exec "$python" -ES "$0" "$@"
  done
fi
command -v curl >/dev/null 2>&1 || { echo 'ctx: this host has neither python nor curl' >&2; exit 1; }

encoded() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n' | sed 's/../%&/g'; }

seconds=30 url=$CTX_SOCKET_URL prefix=@ body=
while [ $# -gt 0 ]; do
  case $1 in
    -t|--timeout) seconds=$2; shift 2 ;;
    --socket-url) url=$2; shift 2 ;;
    --json-arg-prefix) prefix=$2; shift 2 ;;
    -j|--json-output) body="$body&j=1"; shift ;;
    *) break ;;
  esac
done
[ -n "$url" ] || { echo 'ctx: CTX_SOCKET_URL is not set: this is not a script of an operation' >&2; exit 1; }
for argument in "$@"; do body="$body&a=$(encoded "$argument")"; done
body="p=$(encoded "$prefix")$body"

folder=$(umask 077; mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
# Who keeps a journal is far from the engine, whose connection may be made anew; what was refused was not heard.
tries=1
[ -n "$CTX_JOURNAL" ] && tries=6
while :; do
  status=$(curl -sS -K - <<CONFIG
url = "$url"
data = "$body"
max-time = $seconds
noproxy = "*"
output = "$folder/reply"
write-out = "%{http_code}"
CONFIG
)
  code=$? tries=$((tries - 1))
  [ $code -eq 7 ] && [ $tries -gt 0 ] || break
  sleep 1
done
if [ $code -ne 0 ]; then
  [ -n "$CTX_JOURNAL" ] && echo '!' >> "$CTX_JOURNAL"
  echo 'ctx: the engine does not answer' >&2
  exit 1
fi
touch "$folder/reply"
case $status in
  200|409) [ -n "$CTX_JOURNAL" ] && echo "$body" >> "$CTX_JOURNAL" ;;
esac
[ "$status" = 200 ] || { cat "$folder/reply" >&2; echo >&2; exit 1; }
case $1 in
  download[-_]resource*)
    target=$3
    case $3 in "$prefix"*) target= ;; esac
    [ -n "$target" ] || target=$(mktemp -d)/$(basename "$2")
    [ -d "$target" ] && target=$target/$(basename "$2")
    cat "$folder/reply" > "$target" && printf '%s' "$target" ;;
  *) cat "$folder/reply" ;;
esac
exit
'''
import errno
import os
import socket
import sys
import tempfile
import time

USAGE = "usage: ctx [-t SECONDS] [--socket-url URL] [--json-arg-prefix CHAR] [-j] ARGUMENT..."


PATIENCE = 5
"""Seconds that a far engine has to make its connection anew; with curl, tries a second apart."""


class Failed(Exception):
    pass


def to_bytes(text):
    if isinstance(text, bytes):
        return text
    return os.fsencode(text) if hasattr(os, "fsencode") else text.encode("utf-8")


def encoded(text):
    return "".join("%%%02x" % byte for byte in bytearray(to_bytes(text)))


def decoded(text):
    parts = to_bytes(text).split(b"%")
    return parts[0] + b"".join(bytes(bytearray([int(part[:2], 16)])) + part[2:] for part in parts[1:])


def read_arguments(words):
    options = {"seconds": "30", "url": os.environ.get("CTX_SOCKET_URL", ""), "prefix": "@", "json": False}
    names = {"-t": "seconds", "--timeout": "seconds", "--socket-url": "url", "--json-arg-prefix": "prefix"}
    while words and words[0].startswith("-"):
        if words[0] in ("-j", "--json-output"):
            options["json"] = True
            words = words[1:]
        elif words[0] in names and len(words) > 1:
            options[names[words[0]]] = words[1]
            words = words[2:]
        else:
            raise Failed(USAGE)
    return options, words


def connect(host, port, seconds):
    """Connect; where a journal is kept, the engine is far, and what was refused was not heard: try again."""
    until = time.time() + (PATIENCE if os.environ.get("CTX_JOURNAL") else 0)
    while True:
        try:
            return socket.create_connection((host, port), timeout=seconds)
        except socket.error as error:
            if error.errno != errno.ECONNREFUSED or time.time() >= until:
                raise
        # A refusal comes at once; asked without a pause, the host would be kept from connecting anew.
        time.sleep(0.2)


def post(url, body, seconds):
    """Return (status, headers, content); the reply ends where the connection does."""
    if not url.startswith("http://"):
        raise Failed("ctx: CTX_SOCKET_URL is not set: this is not a script of an operation")
    address, _, path = url[len("http://") :].partition("/")
    host, _, port = address.rpartition(":")
    request = (
        "POST /%s HTTP/1.0\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s"
        % (path, address, len(body), body)
    )
    connection = connect(host, int(port), seconds)
    try:
        connection.sendall(request.encode("ascii"))
        reply = b""
        while True:
            part = connection.recv(65536)
            if not part:
                break
            reply += part
    finally:
        connection.close()
    head, _, content = reply.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    if len(lines[0].split()) < 2:
        raise socket.error("the reply was cut off")
    return int(lines[0].split()[1]), headers, content


def note(line):
    """Keep what was said, for an engine that takes over from the one that listens now."""
    journal = os.environ.get("CTX_JOURNAL")
    if journal:
        with open(journal, "a") as out:
            out.write(line + "\n")


def save(headers, content):
    target = decoded(headers.get("x-ctx-target", ""))
    name = decoded(headers["x-ctx-name"])
    if not target:
        target = os.path.join(to_bytes(tempfile.mkdtemp()), name)
    elif os.path.isdir(target):
        target = os.path.join(target, name)
    with open(target, "wb") as out:
        out.write(content)
    return target


def main(words):
    out, err = getattr(sys.stdout, "buffer", sys.stdout), getattr(sys.stderr, "buffer", sys.stderr)
    options, words = read_arguments(words)
    fields = ["p=" + encoded(options["prefix"])] + (["j=1"] if options["json"] else [])
    body = "&".join(fields + ["a=" + encoded(word) for word in words])
    try:
        status, headers, content = post(options["url"], body, float(options["seconds"]))
    except (socket.error, ValueError) as error:
        note("!")
        raise Failed("ctx: the engine does not answer: %s" % error)
    if status in (200, 409):
        note(body)
    if status != 200:
        err.write(content + b"\n")
        return 1
    out.write(save(headers, content) if "x-ctx-name" in headers else content)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Failed as failed:
        sys.stderr.write("%s\n" % failed)
        sys.exit(1)
