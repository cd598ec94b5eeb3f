"""What the store holds: buckets and objects, found by name in memory, every change written to disk before it is seen.

The data folder has one hidden folder of our own, with flat folders for each kind of record and for the bytes. An
object is a blob, written first, and a record that names it, replaced atomically: a process killed at any moment
leaves the old object or the new one, and a blob nobody names, which the next start removes. Unfinished uploads are
uploads.py's; rules of S3 are the operations'.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from groundplan_sandbox.s3.errors import conflict, no_such_bucket, no_such_key
from groundplan_sandbox.s3.folder import FRESH, Folder
from groundplan_sandbox.s3.records import BucketRecord, ObjectRecord, PartRecord, UploadRecord, object_file

HIDDEN = ".groundplan-s3"
Record = TypeVar("Record", bound=msgspec.Struct)


class StoreInUseError(OSError):
    """Another server works on the same data folder."""


class StoreDamagedError(OSError):
    """A record on disk cannot be read; the message names its file."""


class Bucket:
    """A bucket in memory. `keys` is sorted and has the same names as `objects`."""

    def __init__(self, record: BucketRecord) -> None:
        self.record = record
        self.objects: dict[str, ObjectRecord] = {}
        self.keys: list[str] = []

    def add(self, record: ObjectRecord) -> ObjectRecord | None:
        former = self.objects.get(record.key)
        if former is None:
            insort(self.keys, record.key)
        self.objects[record.key] = record
        return former

    def drop(self, key: str) -> ObjectRecord | None:
        former = self.objects.pop(key, None)
        if former is not None:
            del self.keys[bisect_left(self.keys, key)]
        return former


class Upload:
    """An unfinished multipart upload in memory, parts by number."""

    def __init__(self, record: UploadRecord) -> None:
        self.record = record
        self.parts: dict[int, PartRecord] = {}


class Blob:
    """Bytes just written, not yet part of anything: the file `fresh`, which is named `kept` once a record names it."""

    def __init__(self, fresh: str, size: int, md5: str) -> None:
        self.fresh = fresh
        self.kept = fresh.removeprefix(FRESH)
        self.size = size
        self.md5 = md5


class Catalogue:
    """The contents of one data folder; safe to use from many threads.

    Raises:
        StoreInUseError, StoreDamagedError, OSError: when it is opened.
    """

    def __init__(self, data: Path) -> None:
        self.lock = threading.RLock()
        self._buckets: dict[str, Bucket] = {}
        self.uploads: dict[str, Upload] = {}
        with ExitStack() as opened:
            enter = opened.enter_context
            root = enter(enter(Folder.at(data)).inside(HIDDEN))
            enter(claimed(root, data))
            self._buckets_folder = enter(root.inside("buckets"))
            self._objects_folder = enter(root.inside("objects"))
            self.uploads_folder = enter(root.inside("uploads"))
            self._blobs = enter(root.inside("blobs"))
            self._load()
            self._opened = opened.pop_all()

    def close(self) -> None:
        self._opened.close()

    # Buckets

    def buckets(self) -> list[BucketRecord]:
        with self.lock:
            return [self._buckets[name].record for name in sorted(self._buckets)]

    def bucket(self, name: str) -> BucketRecord:
        with self.lock:
            return self._bucket(name).record

    def policy(self, name: str) -> str | None:
        """A bucket's policy; None when it has none or is not there."""
        with self.lock:
            bucket = self._buckets.get(name)
            return None if bucket is None else bucket.record.policy

    def create_bucket(self, record: BucketRecord) -> None:
        with self.lock:
            if record.name in self._buckets:
                raise conflict(
                    "BucketAlreadyOwnedByYou",
                    "Your previous request to create the named bucket succeeded and you already own it.",
                )
            self._write_bucket(record)
            self._buckets[record.name] = Bucket(record)

    def change_bucket(self, name: str, change: Callable[[BucketRecord], BucketRecord]) -> None:
        with self.lock:
            bucket = self._bucket(name)
            changed = change(bucket.record)
            self._write_bucket(changed)
            bucket.record = changed

    def delete_bucket(self, name: str) -> None:
        """Deletes an empty bucket, its unfinished uploads with it; S3Error BucketNotEmpty."""
        with self.lock:
            if self._bucket(name).objects:
                raise conflict("BucketNotEmpty", "The bucket you tried to delete is not empty")
            for upload in [each for each in self.uploads.values() if each.record.bucket == name]:
                self.drop_upload(upload.record.id)
            self._buckets_folder.remove(f"{name}.json")
            del self._buckets[name]

    # Objects

    def keys(self, bucket: str) -> Sequence[str]:
        """The sorted keys; hold `lock` while you read them."""
        return self._bucket(bucket).keys

    def find(self, bucket: str, key: str) -> ObjectRecord | None:
        with self.lock:
            return self._bucket(bucket).objects.get(key)

    def object(self, bucket: str, key: str) -> ObjectRecord:
        found = self.find(bucket, key)
        if found is None:
            raise no_such_key()
        return found

    def open_object(self, bucket: str, key: str) -> tuple[ObjectRecord, BinaryIO]:
        """An object with its bytes; they stay readable when the object is replaced or deleted meanwhile."""
        with self.lock:
            record = self.object(bucket, key)
            return record, self._blobs.open(record.blob)

    def put_object(self, record: ObjectRecord, blob: Blob, check: Callable[[ObjectRecord | None], None]) -> None:
        """Makes a blob an object; the record names it by `blob.kept`. `check` sees the object it would replace and
        may refuse by raising.
        """
        with self.lock:
            bucket = self._bucket(record.bucket)
            check(bucket.objects.get(record.key))
            self.keep_blob(blob)
            self._write_object(record)
            former = bucket.add(record)
            if former is not None:
                self._blobs.remove(former.blob)

    def change_object(self, bucket: str, key: str, change: Callable[[ObjectRecord], ObjectRecord]) -> None:
        """Changes what is said of an object; its bytes stay."""
        with self.lock:
            changed = change(self.object(bucket, key))
            self._write_object(changed)
            self._bucket(bucket).add(changed)

    def delete_object(self, bucket: str, key: str) -> None:
        with self.lock:
            former = self._bucket(bucket).drop(key)
            if former is not None:
                self._objects_folder.remove(object_file(bucket, key))
                self._blobs.remove(former.blob)

    # Blobs

    @contextmanager
    def new_blob(self, pieces: Iterable[bytes]) -> Iterator[Blob]:
        """Writes pieces to disk as they come; what is not kept by the end of the block is removed."""
        name, file = self._blobs.create()
        try:
            with file:
                md5, size = hashlib.md5(usedforsecurity=False), 0
                for piece in pieces:
                    md5.update(piece)
                    size += file.write(piece)
            yield Blob(name, size, md5.hexdigest())
        finally:
            self._blobs.remove(name)

    def open_blob(self, name: str) -> BinaryIO:
        return self._blobs.open(name)

    def keep_blob(self, blob: Blob) -> None:
        self._blobs.keep(blob.fresh, blob.kept)

    def remove_blob(self, name: str) -> None:
        self._blobs.remove(name)

    def drop_upload(self, upload: str) -> None:
        """Forgets an upload and its parts."""
        dropped = self.uploads.pop(upload)
        self.uploads_folder.remove(f"{upload}.json")
        for part in dropped.parts.values():
            self.uploads_folder.remove(f"{upload}.{part.number}.json")
            self._blobs.remove(part.blob)

    # Disk

    def _bucket(self, name: str) -> Bucket:
        found = self._buckets.get(name)
        if found is None:
            raise no_such_bucket()
        return found

    def _write_bucket(self, record: BucketRecord) -> None:
        self._buckets_folder.write(f"{record.name}.json", msgspec.json.encode(record))

    def _write_object(self, record: ObjectRecord) -> None:
        self._objects_folder.write(object_file(record.bucket, record.key), msgspec.json.encode(record))

    def _load(self) -> None:
        for record in records(self._buckets_folder, BucketRecord):
            self._buckets[record.name] = Bucket(record)
        for stored in records(self._objects_folder, ObjectRecord):
            if stored.bucket in self._buckets:
                self._buckets[stored.bucket].add(stored)
        # `ID.json` is an upload, `ID.NUMBER.json` one of its parts.
        for begun in records(self.uploads_folder, UploadRecord, dots=1):
            self.uploads[begun.id] = Upload(begun)
        for part in records(self.uploads_folder, PartRecord, dots=2):
            if part.upload in self.uploads:
                self.uploads[part.upload].parts[part.number] = part
        self._sweep()

    def _sweep(self) -> None:
        """Removes blobs that no record names."""
        named = {record.blob for bucket in self._buckets.values() for record in bucket.objects.values()}
        named |= {part.blob for upload in self.uploads.values() for part in upload.parts.values()}
        for name in set(self._blobs.names()) - named:
            self._blobs.remove(name)


def records(folder: Folder, kind: type[Record], dots: int | None = None) -> Iterator[Record]:
    for name in folder.names():
        if dots is not None and name.count(".") != dots:
            continue
        try:
            yield msgspec.json.decode(folder.read(name), type=kind)
        except (msgspec.DecodeError, OSError, ValueError) as error:
            raise StoreDamagedError(f"{folder.path / name} cannot be read: {error}") from error


@contextmanager
def claimed(folder: Folder, data: Path) -> Iterator[None]:
    """Claims the data folder for this server until the block is left."""
    with os.fdopen(folder.claim("lock"), "wb") as claim:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreInUseError(f"another server works on {data}") from error
        yield
