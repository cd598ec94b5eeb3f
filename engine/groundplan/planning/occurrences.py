"""When a schedule's rule comes true: pure computation on moments that are given; it never asks what time it is.

Minutes and hours are counted as they pass, days and more on the clocks of the rule's time zone, so that a daily run
stays at its hour when clocks change. What is done at an occurrence is `service.schedules`'.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from dateutil import rrule as calendar
from dateutil.relativedelta import relativedelta

from groundplan.model.schedule import Rule, Schedule
from groundplan.planning.faults import PlanningError

MOST: Final = 100_000
"""The largest `count`: a rule with one is walked from its beginning."""
_UNITS: Final = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks", "mo": "months", "y": "years"}
_UNIT: Final = r"(min|h|d|w|mo|y)(?:ute|our|ay|eek|nth|ear)?s?"
_PART: Final = re.compile(rf"\s*\+\s*(\d{{1,6}})\s*{_UNIT}(?=[\s+]|$)", re.IGNORECASE)
_ABSOLUTE: Final = re.compile(r"(?:(\d{4})-(\d{1,2})-(\d{1,2})[ T]+)?(\d{1,2}):(\d{2})(?::\d{2})?")
_RECURRENCE: Final = re.compile(rf"\s*(\d{{1,6}})\s*{_UNIT}\s*", re.IGNORECASE)
_WEEKDAY: Final = re.compile(r"([1-4]|l-)?(mo|tu|we|th|fr|sa|su)", re.IGNORECASE)
_DAYS: Final = dict(
    zip(
        ("mo", "tu", "we", "th", "fr", "sa", "su"),
        (calendar.MO, calendar.TU, calendar.WE, calendar.TH, calendar.FR, calendar.SA, calendar.SU),
        strict=True,
    )
)
_FREQUENCIES: Final = {
    "minutes": calendar.MINUTELY,
    "hours": calendar.HOURLY,
    "days": calendar.DAILY,
    "weeks": calendar.WEEKLY,
    "months": calendar.MONTHLY,
    "years": calendar.YEARLY,
}
_PASSING: Final = frozenset({calendar.MINUTELY, calendar.HOURLY})
_STEPS: Final = {
    calendar.MINUTELY: timedelta(minutes=1),
    calendar.HOURLY: timedelta(hours=1),
    calendar.DAILY: timedelta(days=1),
    calendar.WEEKLY: timedelta(weeks=1),
}
_HORIZON: Final = timedelta(days=30 * 366)
_NEAR_HORIZON: Final = timedelta(days=366)
"""How far a rule is searched for its next occurrence: one that has none by then has none."""
GRACE: Final = timedelta(seconds=60)
"""An occurrence may be so much later than its slip (spec 5.8)."""


def parse_moment(text: str, now: datetime, zone: tzinfo) -> datetime:
    """Return the moment, in UTC, of `2026-03-29 02:30`, `02:30` (today), or parts like `+1 year +3 months` from now.

    Raises:
        PlanningError: `schedule-time`.
    """
    found = _ABSOLUTE.fullmatch(text.strip())
    if found is None:
        return _relative(text, now)
    year, month, day, hour, minute = found.groups()
    today = now.astimezone(zone)
    try:
        local = datetime(
            int(year or today.year), int(month or today.month), int(day or today.day), int(hour), int(minute)
        )
    except ValueError as error:
        raise PlanningError("schedule-time", f"{text!r} is no time: {error}.") from None
    return local.replace(tzinfo=zone).astimezone(UTC)


def _relative(text: str, now: datetime) -> datetime:
    moment, end = now.astimezone(UTC).replace(second=0, microsecond=0), 0
    try:
        while found := _PART.match(text, end):
            moment += _delta(int(found[1]), found[2])
            end = found.end()
    except (OverflowError, ValueError):
        raise PlanningError("schedule-time", f"{text!r} is too far away.") from None
    if not end or text[end:].strip():
        raise PlanningError(
            "schedule-time",
            f"{text!r} is no time of a schedule.",
            fix="Write 2026-03-29 02:30, 02:30 for today, or +4h, +1 day.",
        )
    return moment


def parse_ago(text: str, now: datetime) -> datetime:
    """Return the moment that lies so long before now: `2 weeks`.

    Raises:
        PlanningError: `schedule-time`.
    """
    found = _RECURRENCE.fullmatch(text)
    if found is None:
        raise PlanningError("schedule-time", f"{text!r} is no length of time.", fix="For example 2 weeks.")
    try:
        return now - _delta(int(found[1]), found[2])
    except (OverflowError, ValueError):
        raise PlanningError("schedule-time", f"{text!r} is too long ago.") from None


def _delta(number: int, unit: str) -> relativedelta:
    # The stubs type each keyword apart: two of them are moments.
    return relativedelta(**{_UNITS[unit.lower()]: number})  # type: ignore[arg-type]


def check_rule(rule: Rule) -> None:
    """Refuse a rule that cannot be computed.

    Raises:
        PlanningError: `schedule-recurrence` or `schedule-time`.
    """
    if rule.rrule and (rule.recurrence or rule.weekdays or rule.count is not None):
        raise _wrong("A schedule has either an rrule or recurrence, weekdays and count.")
    if rule.count is not None and not 1 <= rule.count <= MOST:
        raise _wrong(f"A schedule's count is a whole number from 1 to {MOST}, not {rule.count}.")
    if rule.until is not None and rule.until < rule.since:
        raise PlanningError("schedule-time", "A schedule's `until` is before its `since`.")
    zone_of(rule.timezone)
    _series(rule)


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its IANA name.

    Raises:
        PlanningError: `schedule-time`.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise PlanningError(
            "schedule-time", f"There is no time zone {name!r}.", fix="For example Europe/Berlin."
        ) from None


def first(rule: Rule) -> datetime | None:
    """Return the first occurrence."""
    return next_after(rule, rule.since - timedelta(microseconds=1))


def next_after(rule: Rule, moment: datetime) -> datetime | None:
    """Return the first occurrence later than a moment, in UTC, or None when there is none."""
    series = _series(rule)
    if series is None:
        return rule.since if rule.since > moment else None
    for at in _walk(rule, series, moment):
        if rule.until is not None and at > rule.until:
            return None
        if at > moment:
            return at
    return None


def preview(rule: Rule, moment: datetime, count: int) -> list[datetime]:
    """Return the next occurrences after a moment, at most `count`."""
    found: list[datetime] = []
    while len(found) < count and (at := next_after(rule, moment)) is not None:
        found.append(at)
        moment = at
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """What a schedule asks for now.

    Attributes:
        run: the occurrence that is to run, the latest of those that are due, or None.
        missed: the earliest that is too late to run, or None.
        next_at: what comes after that.
    """

    run: datetime | None
    missed: datetime | None
    next_at: datetime | None


def due(schedule: Schedule, now: datetime) -> Due:
    """Return what a schedule asks for now: of several late occurrences only the latest runs."""
    at, earliest = schedule.next_at, now - timedelta(minutes=schedule.slip) - GRACE
    missed = None
    if at is not None and at < earliest:
        missed, at = at, next_after(schedule.rule, earliest - timedelta(microseconds=1))
    run = None
    while at is not None and at <= now:
        run, at = at, next_after(schedule.rule, at)
    return Due(run=run, missed=missed, next_at=at)


# -- a rule as a series of wall-clock times


@dataclass(frozen=True, kw_only=True, slots=True)
class _Series:
    """An rrule without an anchor; `arguments` are dateutil's."""

    frequency: int
    interval: int
    count: int | None
    text: str = ""
    weekdays: tuple[calendar.weekday, ...] = ()
    month: int | None = None

    def dated(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the times from `start` to `end`."""
        if self.text:
            kept = [part for part in self.text.split(";") if not part.startswith(("COUNT=", "UNTIL="))]
            yield from iter(calendar.rrulestr(f"{';'.join(kept)};UNTIL={end:%Y%m%dT%H%M%S}", dtstart=start))
            return
        yield from calendar.rrule(
            self.frequency,  # type: ignore[arg-type]  # the stubs want a literal
            dtstart=start,
            interval=self.interval,
            until=end,
            byweekday=self.weekdays or None,
            bymonth=self.month,
        )


def _walk(rule: Rule, series: _Series, moment: datetime) -> Iterator[datetime]:
    """Yield occurrences in UTC from the first one on; from shortly before `moment` where they need not be counted."""
    zone = UTC if series.frequency in _PASSING else zone_of(rule.timezone)
    start = rule.since.astimezone(zone).replace(tzinfo=None)
    wall = moment.astimezone(zone).replace(tzinfo=None)
    horizon = _NEAR_HORIZON if series.frequency in _PASSING else _HORIZON
    step = _STEPS.get(series.frequency)
    if series.count is None and step is not None:
        # A day before: clocks that were put forward make later times of some that are earlier on the wall.
        passed = (wall - timedelta(days=1) - start) // (step * series.interval) - 1
        start += max(0, passed) * step * series.interval
    try:
        times = series.dated(start, max(start, wall) + horizon)
        for each in islice(times, series.count):
            yield each.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:  # beyond the year 9999
        return


def _series(rule: Rule) -> _Series | None:
    """Return the series of a rule, or None for one that means a single moment."""
    if rule.rrule:
        return _of_text(rule.rrule)
    weekdays = tuple(_weekday(text) for text in rule.weekdays)
    if not rule.recurrence and not weekdays:
        return None
    found = _RECURRENCE.fullmatch(rule.recurrence or "1 day")
    if found is None or not int(found[1]):
        raise _wrong(f"{rule.recurrence!r} is no recurrence.", fix="Write a number and a unit, for example 2 days.")
    unit = _UNITS[found[2].lower()]
    ordinal = any(day.n for day in weekdays)
    if ordinal and unit not in ("months", "years"):
        raise _wrong("A weekday's place in the month needs a recurrence in months or years.")
    month = rule.since.astimezone(zone_of(rule.timezone)).month if ordinal and unit == "years" else None
    return _Series(
        frequency=_FREQUENCIES[unit], interval=int(found[1]), count=rule.count, weekdays=weekdays, month=month
    )


def _weekday(text: str) -> calendar.weekday:
    found = _WEEKDAY.fullmatch(text.strip())
    if found is None:
        raise _wrong(
            f"{text!r} is no weekday.", fix="Write mo to su, before it 1 to 4 or l- for its place in the month."
        )
    day = _DAYS[found[2].lower()]
    return day(-1 if found[1].lower() == "l-" else int(found[1])) if found[1] else day


def _of_text(text: str) -> _Series:
    rule = text.strip().upper().removeprefix("RRULE:")
    parts = dict(part.partition("=")[::2] for part in rule.split(";"))
    frequency = _NAMES.get(parts.get("FREQ", ""))
    count, interval = parts.get("COUNT", ""), parts.get("INTERVAL", "1")
    if "\n" in rule or frequency is None or not interval.isdigit() or not int(interval):
        raise _wrong(f"{text!r} is no rrule.", fix="For example FREQ=DAILY;INTERVAL=3, minutely at most.")
    if count and not (count.isdigit() and 1 <= int(count) <= MOST):
        raise _wrong(f"COUNT of an rrule is a whole number from 1 to {MOST}.")
    if "UNTIL" in parts:
        raise _wrong("UNTIL of an rrule is not read.", fix="Say it with --until.")
    try:
        calendar.rrulestr(rule, dtstart=datetime(2000, 1, 1))
    except (ValueError, KeyError, TypeError) as error:
        raise _wrong(f"{text!r} is no rrule: {error}.") from None
    return _Series(frequency=frequency, interval=int(interval), count=int(count) if count else None, text=rule)


_NAMES: Final = {
    "MINUTELY": calendar.MINUTELY,
    "HOURLY": calendar.HOURLY,
    "DAILY": calendar.DAILY,
    "WEEKLY": calendar.WEEKLY,
    "MONTHLY": calendar.MONTHLY,
    "YEARLY": calendar.YEARLY,
}


def _wrong(message: str, fix: str = "") -> PlanningError:
    return PlanningError("schedule-recurrence", message, fix=fix)
