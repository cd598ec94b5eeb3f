"""How a group of executions stands, from how each of them does (spec 5.8)."""

import pytest

from groundplan.model.execution import ExecutionStatus
from groundplan.model.group import status_of


@pytest.mark.parametrize(
    ("of_each", "of_all"),
    [
        ("pending pending", "pending"),
        ("queued queued", "queued"),
        ("terminated queued", "queued"),
        ("queued started", "started"),
        ("cancelling terminated", "started"),
        ("terminated failed started", "started"),
        ("terminated failed cancelled", "failed"),
        ("terminated cancelled", "cancelled"),
        ("terminated terminated", "terminated"),
    ],
)
def test_a_group_stands_as_its_executions_do(of_each: str, of_all: str) -> None:
    assert status_of([ExecutionStatus(each) for each in of_each.split()]) == of_all
