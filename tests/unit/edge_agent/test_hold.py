"""What a hold says, how long it stands, and what of a badly written one counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.hold.holds import Holds
from edge_agent.hold.model import DEFAULT, LONGEST, Hold
from edge_agent.hold.reading import end_of, from_config_map
from edge_agent.hold.store import HoldStore
from edge_agent.replica import opened
from edge_agent.replica.said import sentence

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


def config_map(written: str = "2026-12-01T02:00:00Z", **data: str) -> dict[str, Any]:
    return {"metadata": {"name": "outrider-hold", "creationTimestamp": written}, "data": data}


def read(**data: str) -> tuple[Hold, tuple[str, ...]]:
    return from_config_map(config_map(**data), BERLIN, NOW)


class Clocks:
    """The site's clock, and one that only runs forward."""

    def __init__(self) -> None:
        self.wall, self.s = NOW, 1000.0

    def pass_by(self, by: timedelta) -> None:
        self.wall += by
        self.s += by.total_seconds()

    def holds(self) -> Holds:
        return Holds(lambda: self.wall, lambda: self.s, lambda: BERLIN)


def hold(**changes: Any) -> Hold:
    given: dict[str, Any] = {
        "source": "site",
        "since": NOW,
        "until": NOW + 4 * HOUR,
        "reason": "stocktaking",
        "by": "anna",
    }
    return Hold(**(given | changes))


# What a ConfigMap says


def test_an_empty_config_map_holds_everything_for_a_day_from_when_it_was_written() -> None:
    found, faults = read()
    assert found.until == datetime(2026, 12, 2, 2, 0, tzinfo=UTC)
    assert found.covers("till")
    assert not faults


def test_a_config_map_says_who_why_until_when_and_what() -> None:
    found, faults = read(
        reason="stock-\ntaking",
        by="anna",
        until="2026-12-01T06:00:00+01:00",
        applications="till, menu\nkiosk",
    )
    assert not faults
    assert (found.reason, found.by) == ("stock- taking", "anna")
    assert found.until == datetime(2026, 12, 1, 5, 0, tzinfo=UTC)
    assert [app for app in ("till", "menu", "kiosk", "sign") if found.covers(app)] == [
        "till",
        "menu",
        "kiosk",
    ]
    assert found.sentence(BERLIN) == (
        "held by anna (ConfigMap outrider-hold) until 2026-12-01T06:00:00+01:00 (Europe/Berlin): stock- taking"
    )


def test_a_time_without_an_offset_is_the_sites() -> None:
    assert read(until="2026-12-01T06:00")[0].until == datetime(2026, 12, 1, 5, 0, tzinfo=UTC)


def test_a_length_counts_from_when_the_data_was_written_last() -> None:
    live = config_map(**{"for": "4h"})
    live["metadata"]["managedFields"] = [
        {"time": "2026-12-01T02:30:00Z", "fieldsV1": {"f:data": {"f:for": {}}}},
        {"time": "2026-12-01T02:45:00Z", "fieldsV1": {"f:metadata": {"f:labels": {}}}},
    ]
    found, faults = from_config_map(live, UTC, NOW)
    assert (found.until, faults) == (datetime(2026, 12, 1, 6, 30, tzinfo=UTC), ())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"until": "tomorrow"}, "until: 'tomorrow' is no time"),
        ({"until": "9999-12-31T23:59:59Z"}, "until: '9999-12-31T23:59:59Z' is no time"),
        ({"until": "2026-13-01T00:00:00Z"}, "is no time"),
        ({"for": "ages"}, "for: 'ages' is no duration: write it as 4h, 90m or 2d"),
        ({"for": "0h"}, "for: '0h' is no duration"),
        ({"for": "-4h"}, "is no duration"),
        ({"for": "4"}, "is no duration"),
    ],
)
def test_an_end_that_cant_be_read_is_named_and_the_hold_lasts_a_day(data: dict[str, str], says: str) -> None:
    found, faults = read(**data)
    assert found.until == found.since + DEFAULT
    assert says in faults[0]
    assert "it ends 24 h after it was written" in faults[0]


@pytest.mark.parametrize(
    "data", [{"until": "2027-12-01T00:00:00Z"}, {"for": "15d"}, {"for": "9" * 400 + "h"}]
)
def test_no_hold_is_longer_than_two_weeks(data: dict[str, str]) -> None:
    found, faults = read(**data)
    assert found.until == found.since + LONGEST
    assert "no hold is longer than 14 days; it ends at 2026-12-15T02:00:00Z" in faults[0]


def test_what_is_misspelt_or_said_twice_is_named() -> None:
    found, faults = read(untill="x", until="2026-12-01T05:00:00Z", **{"for": "9h"})
    assert found.until == datetime(2026, 12, 1, 5, 0, tzinfo=UTC)
    assert faults == (
        "for: is left aside, since until is given",
        "untill: is not known; known are reason, by, until, for, applications",
    )


def test_too_many_applications_are_all() -> None:
    found, faults = read(applications=" ".join(f"a{n}" for n in range(1001)))
    assert found.covers("anything")
    assert faults == ("applications: are more than 1000; all are held",)


texts = st.text(max_size=60)
anything = st.none() | texts | st.integers() | st.lists(texts, max_size=3)


@given(
    data=st.dictionaries(
        st.sampled_from(["reason", "by", "until", "for", "applications"]) | texts, texts, max_size=6
    ),
    metadata=st.fixed_dictionaries({}, optional={"creationTimestamp": anything, "managedFields": anything}),
)
def test_whatever_a_config_map_says_it_is_read_and_ends_within_two_weeks_of_its_writing(
    data: dict[str, str], metadata: dict[str, Any]
) -> None:
    found, faults = from_config_map({"metadata": metadata, "data": data}, BERLIN, NOW)
    assert found.until - found.since <= LONGEST
    assert len(found.reason) <= 300
    assert all(isinstance(fault, str) for fault in faults)
    assert Hold.of(found.value()).applications == found.applications
    assert "\n" not in found.sentence(BERLIN)


# How long it stands


def test_a_hold_stands_until_its_end_and_covers_what_it_names() -> None:
    clocks = Clocks()
    holds = clocks.holds()
    assert holds.put("site", hold(applications=frozenset({"till"})))
    held = holds.on("till")
    assert held is not None
    assert held.for_s == 4 * 3600
    assert held.why == "held by anna until 2026-12-01T08:00:00+01:00 (Europe/Berlin): stocktaking"
    assert holds.on("menu") is None
    clocks.pass_by(4 * HOUR)
    assert holds.on("till") is None
    assert list(holds.take_ended()) == ["site"]
    assert not holds.all()


def test_of_several_holds_the_one_that_ends_last_counts() -> None:
    holds = Clocks().holds()
    holds.put("site", hold(until=NOW + HOUR, reason="short"))
    holds.put("configmap", hold(until=NOW + 2 * HOUR, reason="long"))
    holds.put("site/till", hold(until=NOW + 3 * HOUR, reason="till", applications=frozenset({"till"})))
    assert "long" in (holds.on("menu") or holds).why  # type: ignore[union-attr]
    assert "till" in (holds.on("till") or holds).why  # type: ignore[union-attr]
    assert holds.ends_in_s() == 3600


def test_the_same_said_twice_is_no_change() -> None:
    holds = Clocks().holds()
    assert holds.put("site", hold())
    assert not holds.put("site", hold())
    assert holds.put("site", hold(until=NOW + 5 * HOUR))
    assert holds.put("site", None)
    assert not holds.put("site", None)


def test_a_hold_that_is_over_does_not_stand() -> None:
    holds = Clocks().holds()
    assert not holds.put("site", hold(until=NOW))
    assert not holds.put("site", hold(until=NOW - HOUR, since=NOW - 2 * HOUR))
    assert holds.on("till") is None


def test_a_clock_that_is_set_back_lengthens_no_hold() -> None:
    clocks = Clocks()
    holds = clocks.holds()
    holds.put("site", hold())
    clocks.wall -= timedelta(days=365)
    clocks.pass_by(4 * HOUR)
    assert holds.on("till") is None


def test_a_hold_from_before_a_clock_was_set_back_lasts_its_length_at_most_after_a_restart() -> None:
    clocks = Clocks()
    clocks.wall -= timedelta(days=20 * 365)
    holds = clocks.holds()
    holds.put("site", hold())
    assert holds.ends_in_s() == 4 * 3600


def test_a_clock_that_is_set_forward_ends_a_hold_until_a_time_and_not_one_for_a_length() -> None:
    clocks = Clocks()
    holds = clocks.holds()
    holds.put("site/a", hold(applications=frozenset({"a"})))
    holds.put("site/b", hold(applications=frozenset({"b"}), lasts=True))
    clocks.wall += timedelta(days=20 * 365)
    assert holds.on("a") is None
    held = holds.on("b")
    assert held is not None
    assert held.for_s == 4 * 3600
    moved = holds.follow_clock()["site/b"]
    assert moved.until == clocks.wall + 4 * HOUR
    assert moved.length == 4 * HOUR
    assert not holds.follow_clock()


@given(
    st.lists(
        st.tuples(st.timedeltas(timedelta(0), timedelta(hours=3)), st.timedeltas(timedelta(-9), timedelta(9)))
    )
)
def test_however_the_clock_is_set_no_hold_stands_longer_than_its_length(
    steps: list[tuple[timedelta, timedelta]],
) -> None:
    clocks = Clocks()
    holds = clocks.holds()
    holds.put("site/a", hold(applications=frozenset({"a"})))
    holds.put("site/b", hold(applications=frozenset({"b"}), lasts=True))
    began_s = clocks.s
    for passed, jump in steps:
        clocks.pass_by(passed)
        clocks.wall += jump
        holds.follow_clock()
        over = clocks.s - began_s >= 4 * 3600
        assert (holds.on("b") is None) == over
        assert holds.on("a") is None or not over


def test_an_end_is_never_before_anything_can_be_added_to_it() -> None:
    assert end_of("", "", NOW, UTC).until == NOW + DEFAULT


# How it is kept


def test_holds_outlive_the_agent_until_they_are_dropped(tmp_path: Path) -> None:
    with opened(tmp_path / "replica.sqlite") as database:
        HoldStore(database).put({"site": hold(), "site/till": hold(applications=frozenset({"till"}))})
    with opened(tmp_path / "replica.sqlite") as database:
        store = HoldStore(database)
        assert store.all() == {"site": hold(), "site/till": hold(applications=frozenset({"till"}))}
        store.put({"site": None, "nothing": None})
        assert list(store.all()) == ["site/till"]


def test_a_hold_that_is_damaged_on_the_disk_holds_nothing_and_is_told_as_lost(tmp_path: Path) -> None:
    with opened(tmp_path / "replica.sqlite") as database:
        HoldStore(database).put({"site": hold(), "configmap": hold(source="configmap")})
        with database.transaction() as connection:
            connection.execute("UPDATE holds SET value = ? WHERE key = 'site'", (b"\x80",))
    with opened(tmp_path / "replica.sqlite") as database:
        assert list(HoldStore(database).all()) == ["configmap"]
        losses = database.take_losses()
        assert [(loss.what, loss.name) for loss in losses] == [("hold", "site")]
        assert sentence(losses).startswith("a hold of the site was damaged and holds no more")
