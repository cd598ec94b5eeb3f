"""The section `deployment_settings` (spec 1.18): names, groups and schedules of the deployments to come.

Times are checked here and stay as written; they become moments when a deployment is created.
"""

import re
from typing import Final

from groundplan.dsl import faults
from groundplan.dsl.functions import OF_INSTANCES
from groundplan.dsl.shape import Reading, element, entries_of, items_of, names_of
from groundplan.dsl.versions import EXECUTION_ARGUMENTS, SCHEDULE, SETTINGS
from groundplan.model.values import Data, Field, Map, calls, to_data

_UNIT: Final = r"(?:min(?:ute)?|h(?:our)?|d(?:ay)?|w(?:eek)?|mo(?:nth)?|y(?:ear)?)s?"
_RELATIVE: Final = re.compile(rf"(?:\s*\+\s*\d+\s*{_UNIT})+\s*\Z", re.IGNORECASE)
_ABSOLUTE: Final = re.compile(r"(?:(\d{4})-(\d{1,2})-(\d{1,2})\s+)?(\d{1,2}):(\d{2})(?::\d{2})?\Z")
_RECURRENCE: Final = re.compile(rf"\s*\d+\s*{_UNIT}\s*\Z", re.IGNORECASE)
_WEEKDAY: Final = re.compile(r"(?:[1-4]|l-)?(?:mo|tu|we|th|fr|sa|su)\Z", re.IGNORECASE)


def read(fields: dict[str, Field], reading: Reading) -> Data:
    """Return the settings as data."""
    if not fields:
        return {}
    entries = element(Field(Map(fields)), SETTINGS, "deployment_settings", reading) or {}
    tuple(names_of(entries.get("default_groups"), "deployment_settings.default_groups", reading))
    if "display_name" in entries:
        _refuse_attributes(entries["display_name"], "deployment_settings.display_name", reading)
    path = "deployment_settings.default_schedules"
    for name, field in entries_of(entries.get("default_schedules"), path, reading).items():
        _schedule(field, f"{path}.{name}", reading)
    return {key: to_data(found.value) for key, found in entries.items()}


def _schedule(field: Field, path: str, reading: Reading) -> None:
    entries = element(field, SCHEDULE, path, reading) or {}
    for key in ("since", "until"):
        if key in entries and not is_time(str(entries[key].value)):
            reading.report.tell(
                faults.SCHEDULE_TIME,
                entries[key].at,
                f"expected a time, found {entries[key].value!r}",
                path=f"{path}.{key}",
                fix='write "2030-01-31 22:00", "22:00", or a time after creation such as +4 hours.',
            )
    recurrence = entries.get("recurrence")
    if recurrence is not None and not _RECURRENCE.match(str(recurrence.value)):
        reading.report.tell(
            faults.SCHEDULE_RECURRENCE,
            recurrence.at,
            f"expected a number and a unit, found {recurrence.value!r}",
            path=f"{path}.recurrence",
            fix="write for example 1 day, or 2 weeks.",
        )
    for item in items_of(entries.get("weekdays"), f"{path}.weekdays", reading):
        if not isinstance(item.value, str) or not _WEEKDAY.match(item.value):
            reading.report.tell(
                faults.SCHEDULE_RECURRENCE,
                item.at,
                f"expected a weekday, found {to_data(item.value)!r}",
                path=f"{path}.weekdays",
                fix="write mo to su; 1mo is the first Monday of a month, l-fr its last Friday.",
            )
    if "execution_arguments" in entries:
        element(entries["execution_arguments"], EXECUTION_ARGUMENTS, f"{path}.execution_arguments", reading)
    if "workflow_parameters" in entries:
        _refuse_attributes(entries["workflow_parameters"], f"{path}.workflow_parameters", reading)


def _refuse_attributes(field: Field, path: str, reading: Reading) -> None:
    """Refuse functions that read node instances, of which there are none while a deployment is made."""
    for call in calls(field.value):
        if call.name in OF_INSTANCES:
            reading.report.tell(faults.FUNCTION_FORBIDDEN, call.at, f"{call.name} has no value yet", path=path)


def is_time(text: str) -> bool:
    """Whether a text is a time of a schedule: absolute, of today, or relative to the deployment's creation."""
    if _RELATIVE.match(text):
        return True
    found = _ABSOLUTE.match(text.strip())
    if found is None:
        return False
    _, month, day, hour, minute = found.groups()
    return int(hour) < 24 and int(minute) < 60 and (month is None or (1 <= int(month) <= 12 and 1 <= int(day) <= 31))
