"""Bucket policies: what may be stored, and what one grants to a caller without a signature.

Only reading without a signature is ever granted by a policy here; the account itself may do everything. A condition
is not evaluated: an Allow that has one grants nothing, a Deny that has one denies.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import Any

from groundplan_sandbox.s3.errors import S3Error, bad_request

LARGEST = 20 * 1024


class Action(Enum):
    """What anonymous callers may be granted."""

    GET_OBJECT = "s3:GetObject"
    LIST_BUCKET = "s3:ListBucket"
    GET_BUCKET_LOCATION = "s3:GetBucketLocation"


def check_policy(text: str, bucket: str) -> None:
    """Raises S3Error MalformedPolicy for a text that is no policy about this bucket."""
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise malformed("This policy contains invalid Json") from error
    if not isinstance(policy, dict) or policy.get("Version") not in ("2012-10-17", "2008-10-17"):
        raise malformed("Policy document must be version 2012-10-17 or 2008-10-17")
    statements = listed(policy.get("Statement"))
    if not statements:
        raise malformed("Missing required field Statement")
    for statement in statements:
        check_statement(statement, bucket)


def check_statement(statement: Any, bucket: str) -> None:
    if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
        raise malformed("Effect must be Allow or Deny")
    if "Principal" not in statement:
        raise malformed("Missing required field Principal")
    actions, resources = listed(statement.get("Action")), listed(statement.get("Resource"))
    if not actions or not all(
        isinstance(action, str) and (action == "*" or action.startswith("s3:")) for action in actions
    ):
        raise malformed("Policy has invalid action")
    prefix = "arn:aws:s3:::"
    names = [str(resource).removeprefix(prefix).partition("/")[0] for resource in resources]
    if not names or not all(str(resource).startswith(prefix) for resource in resources):
        raise malformed("Policy has invalid resource")
    if any(not matches(name, bucket) for name in names):
        raise malformed("Policy has an invalid resource: it names another bucket")


def grants(text: str | None, action: Action, resource: str) -> bool:
    """Whether a stored policy lets an anonymous caller do `action` on `resource`, `bucket` or `bucket/key`."""
    if text is None:
        return False
    applying = [
        statement
        for statement in listed(json.loads(text)["Statement"])
        if names_everybody(statement["Principal"])
        and any(matches(pattern, action.value) for pattern in listed(statement["Action"]))
        and any(matches(pattern, f"arn:aws:s3:::{resource}") for pattern in listed(statement["Resource"]))
    ]
    denied = any(statement["Effect"] == "Deny" for statement in applying)
    return not denied and any(
        statement["Effect"] == "Allow" and not statement.get("Condition") for statement in applying
    )


def names_everybody(principal: Any) -> bool:
    return principal == "*" or (isinstance(principal, dict) and "*" in listed(principal.get("AWS")))


def matches(pattern: str, text: str) -> bool:
    """A pattern of policies: `*` is any run of characters, `?` any single one."""
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def malformed(why: str) -> S3Error:
    return bad_request("MalformedPolicy", f"{why}.")
