"""Names that are one slip of the finger away from known ones."""

import pytest

from groundplan.diagnostics.suggest import slip, suggest


@pytest.mark.parametrize("written", ["strat", "sart", "stat", "starts", "sturt", "tart", "xstart"])
def test_one_slip_is_recognised(written: str) -> None:
    assert slip(written, ["stop", "start"]) == "start"


@pytest.mark.parametrize("written", ["start", "restart", "sp", "trats", "", "stsart2"])
def test_the_name_itself_and_more_than_one_slip_are_not(written: str) -> None:
    assert slip(written, ["start"]) == ""


def test_few_and_many_names_are_searched_alike() -> None:
    many = [f"name_of_{number:04}" for number in range(1000)]
    assert slip("name_fo_0500", many) == slip("name_fo_0500", many[450:550]) == "name_of_0500"


def test_a_slip_in_a_short_word_is_near() -> None:
    assert suggest("wbe", ["db", "web"]) == "web"
