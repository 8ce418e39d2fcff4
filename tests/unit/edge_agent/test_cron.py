"""Schedules in the dialect of robfig/cron."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.sync.cron import InvalidSchedule, parse

BERLIN = ZoneInfo("Europe/Berlin")
SATURDAY = datetime(2026, 8, 22, 14, 5, tzinfo=UTC)


def times(text: str, count: int, zone: ZoneInfo | None = None, after: datetime = SATURDAY) -> list[str]:
    found = islice(parse(text).after(after, zone or UTC), count)
    return [time.astimezone(zone or UTC).strftime("%m-%d %H:%M") for time in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 22 * * *", ["08-22 22:00", "08-23 22:00"]),
        ("*/20 * * * *", ["08-22 14:20", "08-22 14:40"]),
        ("5/20 15 * * *", ["08-22 15:05", "08-22 15:25"]),
        ("10-12 3 * * *", ["08-23 03:10", "08-23 03:11"]),
        ("0 0 1 jan,Feb *", ["01-01 00:00", "02-01 00:00"]),
        ("0 9 ? * MON-fri", ["08-24 09:00", "08-25 09:00"]),
        ("0 9 * * 0", ["08-23 09:00", "08-30 09:00"]),
        ("@hourly", ["08-22 15:00", "08-22 16:00"]),
        ("@daily", ["08-23 00:00", "08-24 00:00"]),
        ("@midnight", ["08-23 00:00", "08-24 00:00"]),
        ("@weekly", ["08-23 00:00", "08-30 00:00"]),
        ("@monthly", ["09-01 00:00", "10-01 00:00"]),
        ("@yearly", ["01-01 00:00", "01-01 00:00"]),
    ],
)
def test_a_schedule_comes_round_when_it_says(text: str, expected: list[str]) -> None:
    assert times(text, 2) == expected


def test_of_two_days_that_are_given_either_is_enough() -> None:
    assert times("0 0 25 * 1", 3) == ["08-24 00:00", "08-25 00:00", "08-31 00:00"]


def test_a_stepped_star_is_a_day_that_is_given_and_a_plain_one_is_not() -> None:
    # Monday the 24th and each odd day; a plain star would leave the Mondays alone.
    assert times("0 0 */2 * 1", 4) == ["08-23 00:00", "08-24 00:00", "08-25 00:00", "08-27 00:00"]
    assert times("0 0 * * 1", 2) == ["08-24 00:00", "08-31 00:00"]


def test_a_zone_before_a_schedule_is_read() -> None:
    for prefix in ("CRON_TZ=Europe/Berlin", "TZ=Europe/Berlin"):
        schedule = parse(f"{prefix} 0 2 * * *")
        assert (schedule.zone, schedule.expression) == ("Europe/Berlin", "0 2 * * *")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "0 * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 7",
        "* * * * sunday",
        "* * * foo *",
        "5-1 * * * *",
        "1-2-3 * * * *",
        "*/0 * * * *",
        "*-5 * * * *",
        "1,,2 * * * *",
        "-1 * * * *",
        "* * L * *",
        "* * * * 5#3",
        "0 0 30 2 *",
        "@every 1h",
        "@reboot",
        "TZ=UTC",
        "٣ * * * *",
    ],
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(InvalidSchedule):
        parse(text)


def test_a_time_that_the_clocks_skip_comes_when_they_have_jumped() -> None:
    spring = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
    assert times("30 2 * * *", 2, BERLIN, spring) == ["03-29 03:00", "03-30 02:30"]


def test_a_time_that_the_clocks_repeat_comes_once() -> None:
    autumn = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
    found = list(islice(parse("30 2 * * *").after(autumn, BERLIN), 2))
    assert [time.isoformat() for time in found] == ["2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"]


def test_no_time_is_told_that_has_passed_while_the_clocks_repeat_an_hour() -> None:
    second_half = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert next(parse("30 2 * * *").after(second_half, BERLIN)) > second_half


MINUTES = st.sampled_from(["0", "5", "*", "*/15", "10-20", "59", "3/7", "0,30"])
HOURS = st.sampled_from(["*", "0", "2", "*/6", "9-17", "23", "1,13"])
DAYS = st.sampled_from(["*", "1", "15", "28-31", "?", "*/10"])
MONTHS = st.sampled_from(["*", "feb", "1-6", "8,9", "*/3"])
WEEKDAYS = st.sampled_from(["*", "1-5", "sun", "6", "?", "*/2"])


def _values(text: str, lowest: int, highest: int, names: str = "") -> set[int]:
    """A reading of the dialect of its own, for small fields only."""
    named = {name: position + lowest for position, name in enumerate(names.split())}
    found: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        if span in ("*", "?"):
            low, high = lowest, highest
        else:
            ends = [named.get(part, -1) if part in named else int(part) for part in span.split("-")]
            low, high = ends[0], ends[-1] if not step or len(ends) > 1 else highest
        found |= {value for value in range(low, high + 1) if (value - low) % int(step or 1) == 0}
    return found


@settings(max_examples=60, deadline=None)
@given(MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS, st.integers(0, 60 * 24 * 400))
def test_a_schedule_comes_at_the_first_minute_that_matches(
    minute: str, hour: str, day: str, month: str, weekday: str, ahead: int
) -> None:
    after = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=ahead)
    months = _values(month, 1, 12, "jan feb mar apr may jun jul aug sep oct nov dec")
    weekdays = _values(weekday, 0, 6, "sun mon tue wed thu fri sat")
    minutes, hours, days = _values(minute, 0, 59), _values(hour, 0, 23), _values(day, 1, 31)

    def matches(time: datetime) -> bool:
        on_day, on_weekday = time.day in days, time.isoweekday() % 7 in weekdays
        both = day in ("*", "?") or weekday in ("*", "?")
        right_day = (on_day and on_weekday) if both else (on_day or on_weekday)
        return time.minute in minutes and time.hour in hours and time.month in months and right_day

    found = next(parse(f"{minute} {hour} {day} {month} {weekday}").after(after, UTC))
    assert found > after
    assert matches(found)
    between = (after + timedelta(minutes=step) for step in range(1, 3 * 24 * 60))
    assert not any(matches(time) for time in between if time < found)
