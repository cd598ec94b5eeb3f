"""How objects are shown: as they are, as metadata alone, or as the rows of a Table for `kubectl get`.

A client asks by its Accept header (`as=Table`, `as=PartialObjectMetadata`); `columns` says what each kind's row holds.
"""

from __future__ import annotations

from enum import Enum

from groundplan_sandbox.kubernetes.columns import COLUMNS, PLAIN, Column
from groundplan_sandbox.kubernetes.kinds import Kind, Object
from groundplan_sandbox.kubernetes.status import not_acceptable


class Presentation(Enum):
    OBJECT = "object"
    METADATA = "metadata"
    TABLE = "table"


def presentation_of(accept: str) -> Presentation:
    """The first form in an Accept header that can be given. Raises ApiError 406 when none can."""
    for offer in accept.replace(" ", "").split(","):
        media_type, *parameters = offer.split(";")
        if media_type not in ("application/json", "*/*", "application/*", "application/yaml"):
            continue
        asked = next((each.removeprefix("as=") for each in parameters if each.startswith("as=")), "")
        if not asked:
            return Presentation.OBJECT
        if "v=v1" not in parameters:
            continue
        if asked == "Table":
            return Presentation.TABLE
        if asked in ("PartialObjectMetadata", "PartialObjectMetadataList"):
            return Presentation.METADATA
    raise not_acceptable(["application/json"])


def present_object(presentation: Presentation, kind: Kind, item: Object) -> Object:
    if presentation is Presentation.TABLE:
        metadata = {"resourceVersion": item["metadata"]["resourceVersion"]}
        return _table(kind, [item], metadata)
    return _partial(item) if presentation is Presentation.METADATA else item


def present_list(presentation: Presentation, kind: Kind, items: list[Object], metadata: Object) -> Object:
    if presentation is Presentation.TABLE:
        return _table(kind, items, metadata)
    if presentation is Presentation.METADATA:
        partial: Object = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
        return partial | {"items": [_partial(item) for item in items]}
    whole: Object = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata}
    return whole | {"items": items}


def _partial(item: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}


def _table(kind: Kind, items: list[Object], metadata: Object) -> Object:
    columns = COLUMNS.get(kind.built_in, PLAIN)
    table: Object = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    table["columnDefinitions"] = [_definition(column) for column in columns]
    table["rows"] = [{"cells": [column.cell(item) for column in columns], "object": _partial(item)} for item in items]
    return table


def _definition(column: Column) -> Object:
    return {
        "name": column.name,
        "type": column.type,
        "format": "name" if column.name == "Name" else "",
        "description": column.name,
        "priority": 1 if column.wide else 0,
    }
