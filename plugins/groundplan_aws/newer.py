"""Reads a node of an older type (`cloudify.aws.nodes.*`) as if its author had written the newer one.

All of the plugin reads properties through here where the two families differ: `client_config`, `resource_config`,
`Tags` and what a row of `rows.older` renames. What the author wrote in the newer words wins.
"""

from collections.abc import Mapping
from typing import Any, Final

from groundplan.sdk.context import NodeView
from groundplan_aws.older import Older, at, joined
from groundplan_aws.rows.older import OLDER

_SAME: Final = ("aws_access_key_id", "aws_secret_access_key")
_REGIONS: Final = ("ec2_region_name", "elb_region_name", "region")
_OF_AMAZON: Final = (".amazonaws.com", ".amazonaws.com.cn")
_ENDPOINTS: Final = ("ec2_region_endpoint", "elb_region_endpoint")


def properties_of(node: NodeView) -> Mapping[str, Any]:
    """Return a node's properties in the newer family's words; those of a newer type as they are."""
    older = older_of(node)
    return node.properties if older is None else _said(older, node.properties)


def older_of(node: NodeView) -> Older | None:
    """Return the row of the older type that a node is of, or None."""
    return next((OLDER[name] for name in (node.type, *reversed(node.type_hierarchy)) if name in OLDER), None)


def _said(older: Older, given: Mapping[str, Any]) -> dict[str, Any]:
    config = given.get("resource_config") or {}
    said = {
        **given,
        "client_config": given.get("client_config") or client_config(given.get("aws_config") or {}),
        "resource_config": {**_parameters(older, given), **config},
        "Tags": given.get("Tags") or _tags(given),
    }
    for word in older.words:
        if word.property and not _blank(given.get(word.name)):
            said[word.property] = given[word.name]
    return said


def client_config(aws_config: Mapping[str, Any]) -> dict[str, Any]:
    """Return `aws_config` as a `client_config`.

    An endpoint was written as a host's name, of one service. Amazon's are left to the SDK, which knows each service's.
    """
    said = {name: aws_config[name] for name in _SAME if aws_config.get(name)}
    region = next((aws_config[name] for name in _REGIONS if aws_config.get(name)), None)
    endpoint = next((str(aws_config[name]) for name in _ENDPOINTS if aws_config.get(name)), None)
    if region:
        said["region_name"] = region
    if endpoint and not endpoint.rstrip("/").endswith(_OF_AMAZON):
        said["endpoint_url"] = endpoint if "://" in endpoint else f"https://{endpoint}"
    return said


def _parameters(older: Older, given: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for word in older.words:
        value, place = given.get(word.name), word.by or word.to
        if place and not _blank(value):
            said = joined(said, at(place, value))
    if older.named and given.get("resource_id") and not given.get("use_external_resource"):
        said.setdefault(older.named, given["resource_id"])
    return said


def _tags(given: Mapping[str, Any]) -> dict[str, Any]:
    named = {"Name": given["name"]} if given.get("name") else {}
    return {**named, **(given.get("tags") or {})}


def _blank(value: Any) -> bool:
    return value is None or value in ("", [], {})
