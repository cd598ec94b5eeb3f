"""Reading collections: selectors, pages, and watches over the store's history.

Pages continue by name and are not frozen at the first page's revision, unlike the real server's.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from groundplan_sandbox.kubernetes.kinds import Kind, Object
from groundplan_sandbox.kubernetes.selectors import Matches, parse_field_selector, parse_label_selector
from groundplan_sandbox.kubernetes.status import bad_request, gone
from groundplan_sandbox.kubernetes.store import Change, ChangeType, Store, TooOldError, name_of, namespace_of

BOOKMARK_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which objects: a kind, a namespace (None: all), and two selectors."""

    kind: Kind
    namespace: str | None
    labels: str = ""
    fields: str = ""

    def predicate(self) -> Matches:
        by_label, by_field = parse_label_selector(self.labels), parse_field_selector(self.kind, self.fields)
        wanted = self.namespace
        return lambda item: (wanted is None or namespace_of(item) == wanted) and by_label(item) and by_field(item)


def list_page(store: Store, scope: Scope, limit: int, token: str) -> tuple[list[Object], Object]:
    """Matching items and the list's metadata. limit 0 means all; `token` is the `continue` of the page before.

    Raises ApiError 400 for a token that is none.
    """
    matches = scope.predicate()
    found = [item for item in store.select(scope.kind, scope.namespace) if matches(item)]
    after = _read_token(token) if token else None
    if after is not None:
        found = [item for item in found if [namespace_of(item), name_of(item)] > after]
    metadata: Object = {"resourceVersion": str(store.revision)}
    if limit and len(found) > limit:
        last = found[limit - 1]
        place = json.dumps([namespace_of(last), name_of(last)]).encode()
        metadata |= {"continue": base64.urlsafe_b64encode(place).decode(), "remainingItemCount": len(found) - limit}
        found = found[:limit]
    return found, metadata


def _read_token(token: str) -> list[str]:
    try:
        namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise bad_request("continue key is not valid") from error
    return [str(namespace), str(name)]


@dataclass(frozen=True, kw_only=True)
class WatchRequest:
    """revision: "" or "0" begins with the state now, as does `initial_events`; else changes after that revision.

    Raises ApiError 400 when made with a revision or selectors that cannot be read.
    """

    scope: Scope
    revision: str = ""
    bookmarks: bool = False
    initial_events: bool = False
    timeout: float = 1800.0

    def __post_init__(self) -> None:
        self.scope.predicate()
        if self.revision and not self.revision.isdigit():
            raise bad_request(f"invalid resource version {self.revision!r}")


async def watch(store: Store, request: WatchRequest, closing: asyncio.Event) -> AsyncIterator[Object]:
    """Watch events until the timeout or until `closing`. A revision that is too old gives one ERROR event (410)."""
    queue: asyncio.Queue[Change | None] = asyncio.Queue()
    matches, kind = request.scope.predicate(), request.scope.kind
    try:
        past = _beginning(store, request, matches)
    except TooOldError as error:
        yield {"type": "ERROR", "object": gone(str(error)).to_json()}
        return
    stop = store.listen(lambda change: queue.put_nowait(change) if change.kind == kind else None)
    closer = asyncio.ensure_future(_close(queue, closing))
    try:
        for event in past:
            yield event
        if request.initial_events:
            yield _bookmark(store, kind, initial=True)
        async for event in _follow(store, request, queue, matches):
            yield event
    finally:
        stop()
        closer.cancel()


async def _close(queue: asyncio.Queue[Change | None], closing: asyncio.Event) -> None:
    await closing.wait()
    queue.put_nowait(None)


def _beginning(store: Store, request: WatchRequest, matches: Matches) -> list[Object]:
    if request.revision in ("", "0") or request.initial_events:
        items = store.select(request.scope.kind, request.scope.namespace)
        return [{"type": "ADDED", "object": item} for item in items if matches(item)]
    changes = [each for each in store.changes_since(int(request.revision)) if each.kind == request.scope.kind]
    return [event for event in (_event(change, matches) for change in changes) if event]


async def _follow(
    store: Store, request: WatchRequest, queue: asyncio.Queue[Change | None], matches: Matches
) -> AsyncIterator[Object]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + request.timeout
    while (left := deadline - loop.time()) > 0:
        try:
            change = await asyncio.wait_for(queue.get(), min(left, BOOKMARK_SECONDS))
        except TimeoutError:
            if request.bookmarks:
                yield _bookmark(store, request.scope.kind, initial=False)
            continue
        if change is None:
            return
        event = _event(change, matches)
        if event:
            yield event


def _event(change: Change, matches: Matches) -> Object | None:
    """A change as the watch sees it: an object that leaves the selection is DELETED, one that enters is ADDED."""
    before = change.previous is not None and matches(change.previous)
    now = change.type is not ChangeType.DELETED and matches(change.object)
    if now:
        return {"type": "MODIFIED" if before else "ADDED", "object": change.object}
    return {"type": "DELETED", "object": change.object} if before else None


def _bookmark(store: Store, kind: Kind, *, initial: bool) -> Object:
    metadata: Object = {"resourceVersion": str(store.revision)}
    if initial:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return {"type": "BOOKMARK", "object": {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}}
