"""What every operation works on, and the shape that all operations share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from groundplan_sandbox.s3.catalogue import Catalogue
from groundplan_sandbox.s3.documents import Node
from groundplan_sandbox.s3.payload import Payload
from groundplan_sandbox.s3.request import Request, Response

OWNER = "02d6176db174dc93cb1b899f7c6078f08654445fe8cf1b6ce98d8855f66bdbf4"
"""The id under which MinIO shows the one owner of everything; clients compare it with nothing."""


@dataclass(frozen=True, kw_only=True)
class Site:
    catalogue: Catalogue
    region: str


Operation = Callable[[Site, Request, Payload], Response]


def owner(name: str = "Owner") -> Node:
    return (name, [("ID", OWNER), ("DisplayName", "minio")])
