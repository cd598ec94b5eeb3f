"""Multipart uploads: create, upload and copy parts, complete, abort, list.

Limits: "Amazon S3 multipart upload limits" of the user guide. An object's ETag is then the MD5 of its parts' MD5s
with their number.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from http import HTTPStatus

from groundplan_sandbox.s3 import uploads
from groundplan_sandbox.s3.catalogue import Upload
from groundplan_sandbox.s3.checksums import ALGORITHMS, WHOLE_OBJECT, Measured, header_of, text_of
from groundplan_sandbox.s3.conditions import check_write
from groundplan_sandbox.s3.documents import Node, parse, render, text_in, timestamp
from groundplan_sandbox.s3.errors import bad_request, invalid_argument, invalid_request, malformed_xml
from groundplan_sandbox.s3.listing import page_of
from groundplan_sandbox.s3.names import check_key
from groundplan_sandbox.s3.operations.buckets import DOCUMENT, page_size
from groundplan_sandbox.s3.operations.descriptions import described
from groundplan_sandbox.s3.operations.objects import XML, asked_algorithm, checksum_headers, open_source, slice_of
from groundplan_sandbox.s3.operations.site import Site, owner
from groundplan_sandbox.s3.payload import Payload, checksum_mismatch
from groundplan_sandbox.s3.records import Checksum, ObjectRecord, PartRecord, UploadRecord
from groundplan_sandbox.s3.request import Request, Response

SMALLEST_PART = 5 * 1024 * 1024
PARTS = 10_000
COPY_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})")


def create_multipart_upload(site: Site, request: Request, payload: Payload) -> Response:
    check_key(request.key)
    algorithm = asked_algorithm(request)
    kind = checksum_kind(request, algorithm)
    record = UploadRecord(
        id=secrets.token_hex(16),
        bucket=request.bucket,
        key=request.key,
        started=request.received,
        description=described(request.headers),
        checksum_algorithm=algorithm,
        checksum_over_all=kind == "FULL_OBJECT",
    )
    uploads.begin(site.catalogue, record)
    body = render(
        "InitiateMultipartUploadResult",
        [("Bucket", record.bucket), ("Key", record.key), ("UploadId", record.id)],
    )
    named = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind} if algorithm else {}
    return Response(headers={**XML, **named}, body=body)


def checksum_kind(request: Request, algorithm: str | None) -> str:
    """Whether a checksum is joined from those of the parts or taken over all bytes; S3Error InvalidRequest."""
    default = "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"
    kind = request.headers.get("x-amz-checksum-type", default)
    possible = {"FULL_OBJECT": algorithm in WHOLE_OBJECT, "COMPOSITE": algorithm != "CRC64NVME"}
    if not possible.get(kind, False):
        raise invalid_request(f"The {kind} checksum type cannot be used with the {algorithm} checksum algorithm.")
    return kind


def found_upload(site: Site, request: Request) -> Upload:
    return uploads.find(site.catalogue, request.bucket, request.key, request.query.get("uploadId", ""))


def part_number(request: Request) -> int:
    text = request.query.get("partNumber", "")
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= PARTS:
        raise invalid_argument(f"Part number must be an integer between 1 and {PARTS}, inclusive")
    return int(text)


def upload_part(site: Site, request: Request, payload: Payload) -> Response:
    number, upload = part_number(request), found_upload(site, request)
    if "x-amz-copy-source" in request.headers:
        return upload_part_copy(site, request, upload, number)
    wanted = upload.record.checksum_algorithm
    if wanted is not None and payload.algorithm != wanted:
        raise invalid_argument(f"The upload wants the {wanted} of each part, and this one has {payload.algorithm}.")
    with site.catalogue.new_blob(payload) as blob:
        part = PartRecord(
            upload=upload.record.id,
            number=number,
            size=blob.size,
            etag=blob.md5,
            modified=request.received,
            blob=blob.kept,
            checksum=payload.checksum,
        )
        uploads.add_part(site.catalogue, part, blob)
    headers = {} if part.checksum is None else {header_of(part.checksum.algorithm): part.checksum.value}
    return Response(headers={"ETag": f'"{part.etag}"', **headers})


def upload_part_copy(site: Site, request: Request, upload: Upload, number: int) -> Response:
    source, file = open_source(site, request)
    with file:
        first, length = copied_range(request.headers.get("x-amz-copy-source-range"), source.size)
        content = Measured(slice_of(file, first, length), upload.record.checksum_algorithm)
        with site.catalogue.new_blob(content) as blob:
            part = PartRecord(
                upload=upload.record.id,
                number=number,
                size=blob.size,
                etag=blob.md5,
                modified=request.received,
                blob=blob.kept,
                checksum=content.checksum,
            )
            uploads.add_part(site.catalogue, part, blob)
    nodes: list[Node] = [("LastModified", timestamp(part.modified)), ("ETag", f'"{part.etag}"')]
    if part.checksum is not None:
        nodes.append((f"Checksum{part.checksum.algorithm}", part.checksum.value))
    return Response(headers=XML, body=render("CopyPartResult", nodes))


def copied_range(text: str | None, size: int) -> tuple[int, int]:
    """First byte and length; S3Error InvalidArgument when the range is not within the source."""
    if text is None:
        return 0, size
    found = COPY_RANGE.fullmatch(text)
    if found is None or not int(found[1]) <= int(found[2]) < size:
        raise invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last within the source."
        )
    return int(found[1]), int(found[2]) - int(found[1]) + 1


def complete_multipart_upload(site: Site, request: Request, payload: Payload) -> Response:
    upload = found_upload(site, request)
    parts = named_parts(upload, payload.read(DOCUMENT))
    begun = upload.record
    over_all = begun.checksum_algorithm if begun.checksum_over_all else None
    content = Measured(uploads.joined(site.catalogue, parts), over_all)
    with site.catalogue.new_blob(content) as blob:
        checksum = content.checksum or joint_checksum(begun.checksum_algorithm, parts)
        check_claim(request, checksum)
        record = ObjectRecord(
            bucket=request.bucket,
            key=request.key,
            size=blob.size,
            etag=joint_etag(parts),
            modified=request.received,
            blob=blob.kept,
            description=begun.description,
            checksum=checksum,
        )
        with site.catalogue.lock:
            found_upload(site, request)
            site.catalogue.put_object(record, blob, lambda existing: check_write(existing, request.headers))
            uploads.drop(site.catalogue, begun.id)
    nodes: list[Node] = [
        ("Location", f"/{record.bucket}/{record.key}"),
        ("Bucket", record.bucket),
        ("Key", record.key),
        ("ETag", f'"{record.etag}"'),
    ]
    if record.checksum is not None:
        kind = checksum_headers(record.checksum)["x-amz-checksum-type"]
        nodes += [(f"Checksum{record.checksum.algorithm}", record.checksum.value), ("ChecksumType", kind)]
    return Response(headers=XML, body=render("CompleteMultipartUploadResult", nodes))


def named_parts(upload: Upload, document: bytes) -> list[PartRecord]:
    """The parts that a client wants joined; S3Error InvalidPart, InvalidPartOrder, EntityTooSmall, MalformedXML."""
    entries = parse(document, root="CompleteMultipartUpload").findall("Part")
    if not entries:
        raise malformed_xml("no part is named")
    parts: list[PartRecord] = []
    for entry in entries:
        number, etag = text_in(entry, "PartNumber") or "", (text_in(entry, "ETag") or "").strip('"')
        part = upload.parts.get(int(number)) if number.isascii() and number.isdecimal() else None
        if part is not None and parts and part.number <= parts[-1].number:
            raise bad_request(
                "InvalidPartOrder",
                "The list of parts was not in ascending order. The parts list must be specified in order.",
            )
        claimed = (
            None if part is None or part.checksum is None else text_in(entry, f"Checksum{part.checksum.algorithm}")
        )
        if part is None or part.etag != etag or (part.checksum and claimed not in (None, part.checksum.value)):
            raise bad_request(
                "InvalidPart",
                "One or more of the specified parts could not be found, or its entity tag or checksum is another.",
            )
        parts.append(part)
    if any(part.size < SMALLEST_PART for part in parts[:-1]):
        raise bad_request("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed object size.")
    return parts


def check_claim(request: Request, checksum: Checksum | None) -> None:
    """What the completing request says of the whole object's checksum must be so."""
    claimed = None if checksum is None else request.headers.get(header_of(checksum.algorithm))
    if checksum is not None and claimed not in (None, checksum.value):
        raise checksum_mismatch()


def joint_etag(parts: list[PartRecord]) -> str:
    digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


def joint_checksum(algorithm: str | None, parts: list[PartRecord]) -> Checksum | None:
    """The checksum of the parts' checksums; S3Error InvalidPart when a part was sent without."""
    if algorithm is None:
        return None
    digest = ALGORITHMS[algorithm]()
    for part in parts:
        if part.checksum is None or part.checksum.algorithm != algorithm:
            raise bad_request("InvalidPart", f"Part {part.number} was uploaded without the {algorithm} of the upload.")
        digest.update(base64.b64decode(part.checksum.value))
    return Checksum(algorithm=algorithm, value=f"{text_of(digest.digest())}-{len(parts)}")


def abort_multipart_upload(site: Site, request: Request, payload: Payload) -> Response:
    uploads.drop(site.catalogue, found_upload(site, request).record.id)
    return Response(status=HTTPStatus.NO_CONTENT)


def list_parts(site: Site, request: Request, payload: Payload) -> Response:
    upload = found_upload(site, request)
    size = page_size(request.query.get("max-parts", ""), "max-parts")
    marker = page_marker(request.query.get("part-number-marker", ""))
    with site.catalogue.lock:
        later = [upload.parts[number] for number in sorted(upload.parts) if number > marker]
    shown = later[:size]
    nodes: list[Node] = [
        ("Bucket", request.bucket),
        ("Key", request.key),
        ("UploadId", upload.record.id),
        owner("Initiator"),
        owner(),
        ("StorageClass", "STANDARD"),
        ("PartNumberMarker", str(marker)),
        ("NextPartNumberMarker", str(shown[-1].number if shown else marker)),
        ("MaxParts", str(size)),
        ("IsTruncated", "true" if len(later) > len(shown) else "false"),
        *(part_node(part) for part in shown),
    ]
    return Response(headers=XML, body=render("ListPartsResult", nodes))


def part_node(part: PartRecord) -> Node:
    nodes: list[Node] = [
        ("PartNumber", str(part.number)),
        ("LastModified", timestamp(part.modified)),
        ("ETag", f'"{part.etag}"'),
        ("Size", str(part.size)),
    ]
    if part.checksum is not None:
        nodes.append((f"Checksum{part.checksum.algorithm}", part.checksum.value))
    return ("Part", nodes)


def page_marker(text: str) -> int:
    if text and not (text.isascii() and text.isdecimal()):
        raise invalid_argument("Argument part-number-marker must be an integer.")
    return int(text or 0)


def list_multipart_uploads(site: Site, request: Request, payload: Payload) -> Response:
    query = request.query
    prefix, delimiter, size = query.get("prefix", ""), query.get("delimiter", ""), query.get("max-uploads", "")
    with site.catalogue.lock:
        site.catalogue.bucket(request.bucket)
        begun = [each.record for each in site.catalogue.uploads.values() if each.record.bucket == request.bucket]
    # Uploads of one key follow each other by their start; a NUL, which no key holds, joins key and id to one name.
    named = {f"{record.key}\0{record.started:020.6f}{record.id}": record for record in begun}
    after = query.get("key-marker", "")
    if after:
        behind = [
            name for name, record in named.items() if record.key == after and record.id == query.get("upload-id-marker")
        ]
        after = behind[0] if behind else f"{after}\0~"
    limit = page_size(size, "max-uploads")
    page = page_of(sorted(named), prefix=prefix, delimiter=delimiter, after=after, size=limit)
    nodes: list[Node] = [
        ("Bucket", request.bucket),
        ("Prefix", prefix),
        ("KeyMarker", query.get("key-marker", "")),
        ("UploadIdMarker", query.get("upload-id-marker", "")),
        ("MaxUploads", str(limit)),
        ("IsTruncated", "true" if page.truncated else "false"),
    ]
    if page.truncated and page.last is not None:
        nodes.append(("NextKeyMarker", page.last.partition("\0")[0]))
        if page.last in named:
            nodes.append(("NextUploadIdMarker", named[page.last].id))
    nodes += [upload_node(named[name]) for name in page.keys]
    nodes += [("CommonPrefixes", [("Prefix", each)]) for each in page.prefixes]
    return Response(headers=XML, body=render("ListMultipartUploadsResult", nodes))


def upload_node(record: UploadRecord) -> Node:
    nodes: list[Node] = [
        ("Key", record.key),
        ("UploadId", record.id),
        owner("Initiator"),
        owner(),
        ("StorageClass", "STANDARD"),
        ("Initiated", timestamp(record.started)),
    ]
    return ("Upload", nodes)
