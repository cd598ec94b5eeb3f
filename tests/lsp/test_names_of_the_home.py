"""What completion offers of the user's home: secrets, deployments, their capabilities."""

from collections.abc import Sequence

import pytest

from groundplan.diagnostics.span import Sources
from groundplan.dsl.merging import Merged
from groundplan.dsl.versions import Version
from groundplan.lsp.completion import complete
from groundplan.lsp.naming import Names
from groundplan.lsp.outline import cursor_at

EMPTY = Names(
    version=Version.V1_5,
    sources=Sources(),
    units=(),
    merged=Merged(),
    data_types={},
    node_types={},
    relationships={},
)


class Shop:
    """A home with a secret and a deployment."""

    def secrets(self) -> Sequence[str]:
        return ["aws_key"]

    def deployments(self) -> Sequence[str]:
        return ["vpc"]

    def capabilities(self, deployment: str) -> Sequence[str]:
        return ["subnet", "cidr"] if deployment == "vpc" else []

    def plugins(self) -> Sequence[str]:
        return []

    def blueprints(self) -> Sequence[str]:
        return []


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("{get_secret: ", ["aws_key"]),
        ("{get_secret: [", ["aws_key"]),
        ("{get_capability: [", ["vpc"]),
        ("{get_capability: [vpc, ", ["subnet", "cidr"]),
        ("{get_capability: [other, ", []),
    ],
)
def test_names_of_the_home_are_offered(typed: str, offered: list[str]) -> None:
    lines = ["outputs:", "  o:", f"    value: {typed}"]
    items = complete(cursor_at(lines, 2, len(lines[2])), EMPTY, Shop(), lambda path: "")
    assert [item.label for item in items] == offered
