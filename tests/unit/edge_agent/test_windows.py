"""What sync windows allow, and until when."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.sync.durations import go_duration_s
from edge_agent.sync.windows import OPEN, Gate, Window, judge, windows_of

NOON = datetime(2026, 8, 22, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def allow(schedule: str = "0 2 * * *", duration: str = "1h", **more: Any) -> Window:
    return Window("allow", schedule, duration, **more)


def deny(schedule: str = "0 11 * * *", duration: str = "2h", **more: Any) -> Window:
    return Window("deny", schedule, duration, **more)


OPEN_NOW = allow("0 11 * * *", "2h")


def at(*windows: Window, now: datetime = NOON, zone: str = "UTC") -> Gate:
    return judge(windows, now, zone)


@pytest.mark.parametrize(
    ("windows", "automated", "manual", "overrun"),
    [
        ((), True, True, True),
        ((OPEN_NOW,), True, True, True),
        ((allow(),), False, False, False),
        ((allow(), OPEN_NOW), True, True, True),
        ((deny(),), False, False, False),
        ((deny("0 2 * * *"),), True, True, True),
        ((OPEN_NOW, deny()), False, False, False),
        ((allow(), deny("0 2 * * *")), False, False, False),
        ((allow(manual_sync=True),), False, True, False),
        ((allow(manual_sync=True), allow("0 3 * * *")), False, False, False),
        ((deny(manual_sync=True),), False, True, False),
        ((deny(manual_sync=True), deny()), False, False, False),
        ((deny(manual_sync=True), deny("0 2 * * *")), False, True, False),
        # The four that Argo CD's documentation names for overruns, and what keeps each from being one.
        ((deny(sync_overrun=True),), False, False, True),
        ((OPEN_NOW, deny(sync_overrun=True)), False, False, True),
        ((deny(sync_overrun=True), deny()), False, False, False),
        ((allow(sync_overrun=True),), False, False, True),
        ((allow(sync_overrun=True), allow("0 3 * * *")), False, False, False),
        ((allow(sync_overrun=True), deny()), False, False, False),
    ],
)
def test_deny_beats_allow_and_any_allow_window_means_only_inside_one(
    windows: tuple[Window, ...], automated: bool, manual: bool, overrun: bool
) -> None:
    found = at(*windows)
    assert (found.automated, found.manual, found.overrun) == (automated, manual, overrun)


def test_a_window_lasts_from_its_time_until_its_end_not_included() -> None:
    begin = datetime(2026, 8, 22, 2, 0, tzinfo=UTC)
    instants = [begin - timedelta(seconds=1), begin, begin + timedelta(minutes=59, seconds=59)]
    assert [at(allow(), now=instant).automated for instant in instants] == [False, True, True]
    assert not at(allow(), now=begin + timedelta(hours=1)).automated


def test_why_a_sync_waits_names_the_window_and_the_time_in_its_zone() -> None:
    assert at(allow(), zone="Europe/Berlin").why == (
        "outside the allow window '0 2 * * *' for 1h, until 2026-08-23T02:00:00+02:00 (Europe/Berlin)"
    )
    assert at(deny(description="stocktaking"), deny()).why == (
        "inside the deny window '0 11 * * *' for 2h (stocktaking) and 1 more, until 2026-08-22T13:00:00+00:00 (UTC)"
    )


def test_the_sites_zone_counts_only_where_a_window_names_none() -> None:
    half_past_two = datetime(2026, 8, 22, 0, 30, tzinfo=UTC)
    assert at(allow(), now=half_past_two, zone="Europe/Berlin").automated
    assert not at(allow(zone="UTC"), now=half_past_two, zone="Europe/Berlin").automated
    assert at(allow("TZ=Europe/Berlin 0 2 * * *", zone="UTC"), now=half_past_two).automated


def test_until_is_when_a_sync_is_allowed_and_not_merely_when_something_changes() -> None:
    # The deny window ends at 13:00, outside the allow window, which is denied until 2:30.
    found = at(allow(), deny(), deny("0 1 * * *", "90m"))
    assert "until 2026-08-23T02:30:00+00:00" in found.why
    assert found.until == NOON + timedelta(hours=1)


def test_a_window_that_never_closes_says_that_no_end_is_in_sight() -> None:
    found = at(deny("* * * * *", "5m"))
    assert found.why.endswith("with no end in sight")
    assert found.until is None


@pytest.mark.parametrize(("schedule", "duration"), [("*/20 * * * *", "20m"), ("0,45 0-23 * * *", "45m")])
def test_a_window_that_begins_again_before_it_ends_never_closes(schedule: str, duration: str) -> None:
    assert at(deny(schedule, duration)).until is None


def test_windows_that_touch_are_one() -> None:
    assert at(deny("0 11-14 * * *", "1h")).until == datetime(2026, 8, 22, 15, 0, tzinfo=UTC)


def test_a_yearly_window_is_found_behind_a_frequent_one() -> None:
    found = at(allow("0 2 1 1 *"), deny("*/5 * * * *", "1m"))
    assert "until 2027-01-01T02:01:00+00:00" in found.why


@pytest.mark.parametrize(
    "broken",
    [
        {"schedule": "0 2 * *"},
        {"schedule": ""},
        {"duration": "1 hour"},
        {"duration": "1d"},
        {"duration": "0s"},
        {"duration": ""},
        {"duration": "-1h"},
        {"duration": "99999999999h"},
        {"zone": "Europe/Nowhere"},
        {"zone": "../../etc/passwd"},
    ],
)
@pytest.mark.parametrize("kind", ["allow", "deny", "forbid", ""])
def test_a_window_that_cannot_be_read_opens_nothing_and_is_named(kind: str, broken: dict[str, str]) -> None:
    whole: dict[str, Any] = {"schedule": "* * * * *", "duration": "1h", "zone": "UTC"} | broken
    found = at(Window(kind, **whole))
    assert not found.automated
    assert not found.manual
    assert len(found.faults) == 1
    assert at(Window(kind, **whole, manual_sync=True)).manual


def test_a_window_that_cannot_be_read_does_not_close_what_another_allow_window_opens() -> None:
    assert at(OPEN_NOW, allow("nonsense")).automated
    assert not at(OPEN_NOW, deny("nonsense")).automated


def test_a_zone_of_the_site_that_is_not_known_closes_what_needs_it() -> None:
    assert not at(OPEN_NOW, zone="Mars/Olympus").automated
    assert at(allow("0 11 * * *", "2h", zone="UTC"), zone="Mars/Olympus").automated


def test_the_hour_that_the_clocks_skip_makes_no_window_vanish() -> None:
    jump = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    night = allow("30 2 * * *", "1h")
    opened = [
        at(night, now=jump + timedelta(minutes=step), zone="Europe/Berlin").automated
        for step in (-1, 0, 59, 60)
    ]
    assert opened == [False, True, True, False]


def test_the_hour_that_the_clocks_repeat_makes_no_window_open_twice() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    night = allow("30 2 * * *", "30m")
    opened = [
        at(night, now=first + timedelta(minutes=step), zone="Europe/Berlin").automated
        for step in (0, 29, 30, 60)
    ]
    assert opened == [True, True, False, False]


def test_what_was_found_holds_until_the_next_change_and_not_on_a_clock_that_was_set_back() -> None:
    found = at(deny())
    assert found.holds_at(NOON + timedelta(minutes=59))
    assert not found.holds_at(NOON + timedelta(minutes=60))
    assert not found.holds_at(NOON - timedelta(seconds=1))
    assert OPEN.holds_at(NOON)


def test_windows_are_read_from_the_record() -> None:
    given = {
        "kind": "allow", "schedule": "@daily", "duration": "1h", "timeZone": "Europe/Berlin", "manualSync": True,
        "syncOverrun": True, "andOperator": True, "description": "night",
    }  # fmt: skip
    assert windows_of({"project": {"windows": [given, "odd"]}}) == (
        Window("allow", "@daily", "1h", "Europe/Berlin", True, True, "night"),
    )
    none: list[dict[str, Any]] = [{}, {"project": "default"}, {"project": {}}, {"project": {"windows": None}}]
    for spec in none:
        assert windows_of(spec) == ()


@pytest.mark.parametrize(
    ("text", "seconds"), [("1h30m", 5400), ("1.5h", 5400), ("90s", 90), ("500ms", 0.5), (".5m", 30)]
)
def test_durations_are_gos(text: str, seconds: float) -> None:
    assert go_duration_s(text) == seconds


WINDOWS = st.lists(
    st.builds(
        Window,
        st.sampled_from(["allow", "deny"]),
        st.sampled_from(
            ["*/20 * * * *", "0 * * * *", "10 */6 * * *", "0 2 * * 1-5", "30 23 * * *", "0 0 * * 0"]
        ),
        st.sampled_from(["7m", "20m", "1h", "3h30m"]),
        st.sampled_from(["", "UTC", "America/Sao_Paulo", "Asia/Kolkata"]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=4,
)
# With time zones that keep one offset, a schedule can be asked minute by minute.
_MINUTES = {"*/20": range(0, 60, 20), "0": [0], "10": [10], "30": [30]}
_HOURS = {"*": range(24), "*/6": range(0, 24, 6), "2": [2], "23": [23], "0": [0]}
_DAYS = {"*": range(7), "1-5": range(1, 6), "0": [0]}


def _is_active(window: Window, now: datetime) -> bool:
    zone = ZoneInfo(window.zone or "Asia/Tokyo")
    minute, hour, _, _, weekday = window.schedule.split()
    for back in range(int(go_duration_s(window.duration) // 60)):
        local = (now - timedelta(minutes=back)).astimezone(zone)
        if (
            local.minute in _MINUTES[minute]
            and local.hour in _HOURS[hour]
            and local.isoweekday() % 7 in _DAYS[weekday]
        ):
            return True
    return False


def _by_hand(windows: list[Window], now: datetime) -> bool:
    active = [window for window in windows if _is_active(window, now)]
    if any(window.kind == "deny" for window in active):
        return False
    return any(window.kind == "allow" for window in active) or all(
        window.kind == "deny" for window in windows
    )


@settings(max_examples=60, deadline=None)
@given(WINDOWS, st.integers(0, 60 * 24 * 14))
def test_windows_allow_what_counting_minutes_says_until_the_time_they_say(
    windows: list[Window], ahead: int
) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC) + timedelta(minutes=ahead)
    found = judge(windows, now, "Asia/Tokyo")
    assert found.automated == _by_hand(windows, now)
    for step in (1, 13, 119):
        later = now + timedelta(minutes=step)
        if found.holds_at(later):
            assert _by_hand(windows, later) == found.automated
    if found.until:
        assert found.until > now


def test_an_agent_without_windows_loads_nothing_for_them() -> None:
    code = (
        "import sys, edge_agent.applications; "
        "from edge_agent.sync.windows import judge; from datetime import datetime, UTC; "
        "judge((), datetime.now(UTC), 'Europe/Berlin'); "
        "print([name for name in ('cronsim', 'zoneinfo', 'tzdata') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert found.stdout.strip() == "[]"
