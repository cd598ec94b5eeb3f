"""Unfinished multipart uploads: begun, filled part by part, then joined to one object or dropped.

Disk and memory are the catalogue's; the rules for the order and size of parts are operations/multipart.py's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from groundplan_sandbox.s3.catalogue import Blob, Catalogue, Upload
from groundplan_sandbox.s3.errors import no_such_upload
from groundplan_sandbox.s3.records import PartRecord, UploadRecord, part_file

PIECE = 256 * 1024


def begin(catalogue: Catalogue, record: UploadRecord) -> None:
    with catalogue.lock:
        catalogue.bucket(record.bucket)
        catalogue.uploads_folder.write(f"{record.id}.json", msgspec.json.encode(record))
        catalogue.uploads[record.id] = Upload(record)


def find(catalogue: Catalogue, bucket: str, key: str, upload: str) -> Upload:
    """The upload of this id for this object; S3Error NoSuchUpload."""
    with catalogue.lock:
        catalogue.bucket(bucket)
        found = catalogue.uploads.get(upload)
        if found is None or (found.record.bucket, found.record.key) != (bucket, key):
            raise no_such_upload()
        return found


def add_part(catalogue: Catalogue, record: PartRecord, blob: Blob) -> None:
    """Keeps a part; one of the same number is replaced. S3Error NoSuchUpload when the upload ended meanwhile."""
    with catalogue.lock:
        upload = catalogue.uploads.get(record.upload)
        if upload is None:
            raise no_such_upload()
        catalogue.keep_blob(blob)
        catalogue.uploads_folder.write(part_file(record.upload, record.number), msgspec.json.encode(record))
        former = upload.parts.get(record.number)
        upload.parts[record.number] = record
        if former is not None:
            catalogue.remove_blob(former.blob)


def joined(catalogue: Catalogue, parts: Sequence[PartRecord]) -> Iterator[bytes]:
    """The bytes of parts, one after the other."""
    for part in parts:
        with catalogue.open_blob(part.blob) as file:
            while piece := file.read(PIECE):
                yield piece


def drop(catalogue: Catalogue, upload: str) -> None:
    with catalogue.lock:
        if upload not in catalogue.uploads:
            raise no_such_upload()
        catalogue.drop_upload(upload)
