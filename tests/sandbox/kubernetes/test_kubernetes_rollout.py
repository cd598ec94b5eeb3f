"""Of the sandbox: the arithmetic of a rolling update keeps its two promises at every step."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan_sandbox.kubernetes.controllers.rollout import Size, bounds, next_sizes

AMOUNTS = st.integers(0, 5) | st.integers(0, 100).map("{}%".format)


def spec_of(replicas, surge="25%", unavailable="25%"):
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [(4, "25%", "25%", (1, 1)), (3, "25%", "25%", (1, 0)), (10, 2, "30%", (2, 3)), (1, 0, "25%", (0, 1))],
)
def test_percentages_round_away_from_trouble(replicas, surge, unavailable, expected):
    assert bounds(spec_of(replicas, surge, unavailable)) == expected


@given(st.integers(0, 12), AMOUNTS, AMOUNTS, st.randoms(use_true_random=False))
def test_a_rollout_arrives_and_never_breaks_its_bounds(replicas, surge, unavailable, random):
    spec = spec_of(replicas, surge, unavailable)
    most, fewest = replicas + bounds(spec)[0], replicas - bounds(spec)[1]
    new, old = Size(name="new", wanted=0, available=0), [Size(name="old", wanted=replicas, available=replicas)]
    for step in range(100):
        sizes = next_sizes(spec, new, old, old_pods_left=False)
        new = replace(new, wanted=sizes["new"])
        old = [replace(each, wanted=sizes[each.name], available=min(each.available, sizes[each.name])) for each in old]
        assert new.wanted + sum(each.wanted for each in old) <= max(most, replicas)
        assert new.available + sum(each.available for each in old) >= fewest
        # At first a pod may become ready at any time; in the end all do.
        new = replace(new, available=random.randint(new.available, new.wanted) if step < 20 else new.wanted)
        if new.wanted == new.available == replicas and not any(each.wanted for each in old):
            return
    pytest.fail(f"no end: {new} {old}")
