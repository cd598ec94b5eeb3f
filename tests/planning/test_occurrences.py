"""When schedules come true: clocks that change, ends of months, what was missed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplan.model.ids import DeploymentId
from groundplan.model.schedule import Rule, Schedule, ScheduleId
from groundplan.planning.faults import PlanningError
from groundplan.planning.occurrences import GRACE, check_rule, due, first, next_after, parse_moment, preview

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 27, 12, 0, 30, tzinfo=UTC)


def at(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def rule(since: str, **more: object) -> Rule:
    return Rule(since=at(since), timezone="Europe/Berlin", **more)


def walls(found: list[datetime]) -> list[str]:
    return [f"{each.astimezone(BERLIN):%m-%d %H:%M}" for each in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-29 04:30", "2026-03-29 02:30+00:00"),
        ("15:10", "2026-03-27 14:10+00:00"),
        ("+4h", "2026-03-27 16:00+00:00"),
        ("+1 year+3 months", "2027-06-27 12:00+00:00"),
        ("+ 5 min", "2026-03-27 12:05+00:00"),
    ],
)
def test_a_moment_is_absolute_of_today_or_relative(text: str, expected: str) -> None:
    assert parse_moment(text, NOW, BERLIN) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "25:00", "2026-02-30 10:00", "+4", "+4 fortnights", "4h", "+9999999h"]
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(PlanningError) as refused:
        parse_moment(text, NOW, BERLIN)
    assert refused.value.code == "schedule-time"


def test_a_daily_run_stays_at_its_hour_when_clocks_change() -> None:
    found = preview(rule("2026-03-28 08:00", recurrence="1 day"), NOW, 3)
    assert walls(found) == ["03-28 08:00", "03-29 08:00", "03-30 08:00"]
    assert found[1] - found[0] == timedelta(hours=23)


def test_an_hour_that_a_change_of_clocks_leaves_out_comes_an_hour_later() -> None:
    assert walls(preview(rule("2026-03-28 02:30", recurrence="1 day"), NOW, 3)) == [
        "03-28 02:30",
        "03-29 03:30",
        "03-30 02:30",
    ]


def test_hours_are_counted_as_they_pass() -> None:
    found = preview(rule("2026-10-25 00:30", recurrence="1 hour"), at("2026-10-25 00:00"), 4)
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(hours=1)}


def test_a_month_without_the_day_is_left_out() -> None:
    found = preview(rule("2026-01-31 10:00", recurrence="1 month"), at("2026-01-31 11:00"), 3)
    assert walls(found) == ["03-31 10:00", "05-31 10:00", "07-31 10:00"]


def test_a_weekday_has_a_place_in_the_month() -> None:
    last = rule("2026-01-01 10:00", recurrence="1 month", weekdays=("l-fr",))
    assert walls(preview(last, at("2026-01-01 00:00"), 2)) == ["01-30 10:00", "02-27 10:00"]
    assert walls(preview(rule("2026-01-01 10:00", weekdays=("mo", "we")), NOW, 2)) == ["03-30 10:00", "04-01 10:00"]


def test_without_a_rule_there_is_one_moment() -> None:
    once = rule("2026-03-28 08:00")
    assert first(once) == once.since
    assert next_after(once, once.since) is None


def test_an_rrule_is_read_and_counted() -> None:
    third = rule("2026-03-01 08:00", rrule="FREQ=DAILY;INTERVAL=3;COUNT=3")
    assert walls(preview(third, third.since - GRACE, 9)) == ["03-01 08:00", "03-04 08:00", "03-07 08:00"]


@pytest.mark.parametrize(
    "more",
    [
        {"recurrence": "sometimes"},
        {"recurrence": "0 days"},
        {"recurrence": "1 day", "weekdays": ("xx",)},
        {"recurrence": "1 day", "weekdays": ("1mo",)},
        {"rrule": "FREQ=SECONDLY"},
        {"rrule": "FREQ=DAILY;BYDAY=XX"},
        {"rrule": "FREQ=DAILY", "recurrence": "1 day"},
        {"recurrence": "1 day", "count": 0},
    ],
)
def test_what_is_no_rule_is_refused(more: dict[str, object]) -> None:
    with pytest.raises(PlanningError) as refused:
        check_rule(rule("2026-01-01 10:00", **more))
    assert refused.value.code == "schedule-recurrence"


def test_a_rule_that_never_comes_true_has_no_occurrence() -> None:
    assert first(rule("2026-01-01 10:00", rrule="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")) is None


RULES = st.builds(
    Rule,
    since=st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)).map(
        lambda found: found.replace(second=0, microsecond=0)
    ),
    timezone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    recurrence=st.tuples(st.integers(1, 9), st.sampled_from(["min", "h", "d", "w", "mo", "y"])).map(
        lambda found: f"{found[0]} {found[1]}"
    ),
    count=st.none() | st.integers(1, 20),
)


@settings(max_examples=60, deadline=None)
@given(RULES, st.integers(0, 2000))
def test_occurrences_grow_and_are_the_same_from_wherever_they_are_asked(given_rule: Rule, minutes: int) -> None:
    found = preview(given_rule, given_rule.since - GRACE, 8)
    assert found[0] >= given_rule.since
    assert found == sorted(set(found))
    for earlier, later in pairwise(found):
        assert next_after(given_rule, min(earlier + timedelta(minutes=minutes), later - GRACE / 60)) == later


@settings(max_examples=60, deadline=None)
@given(RULES, st.integers(0, 600), st.integers(0, 5000))
def test_what_is_due_is_not_later_than_its_slip_and_what_follows_lies_ahead(
    given_rule: Rule, slip: int, minutes: int
) -> None:
    begin = first(given_rule)
    schedule = Schedule(
        id=ScheduleId("s"),
        deployment=DeploymentId("d"),
        workflow="w",
        rule=given_rule,
        created_at=NOW,
        slip=slip,
        next_at=begin,
    )
    assert begin is not None
    now = begin + timedelta(minutes=minutes)
    found = due(schedule, now)
    if found.run is not None:
        assert now - found.run <= timedelta(minutes=slip) + GRACE
    assert found.next_at is None or found.next_at > now
    assert (found.run is None) <= (found.missed is not None)
