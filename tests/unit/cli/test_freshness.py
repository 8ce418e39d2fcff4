from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outrider_cli import freshness

NOW = datetime(2026, 3, 14, 14, 39, tzinfo=UTC)


def at(**before: float) -> int:
    return round((NOW - timedelta(**before)).timestamp() * 1000)


def item(**fields: Any) -> dict[str, Any]:
    moment = at(minutes=37)
    known = {"sync": "Synced", "health": "Healthy", "freshness": "fresh", "presence": "online"}
    return {**known, "observed_at_ms": moment, "received_at_ms": moment, **fields}


def test_a_fresh_healthy_application_is_green() -> None:
    word = freshness.word(item(), "health", NOW)
    assert (word.plain, word.style) == ("Healthy", "green")


@pytest.mark.parametrize(
    "aged",
    [
        {"freshness": "offline", "presence": "offline"},
        {"freshness": "offline"},
        {"freshness": "stale"},
        {"freshness": "unknown"},
        {"presence": "offline"},
        {"freshness": None},
    ],
)
def test_nothing_is_green_that_nobody_has_heard_of_lately(aged: dict[str, Any]) -> None:
    for field in ("health", "sync"):
        word = freshness.word(item(**aged), field, NOW)
        assert "green" not in str(word.style)
        assert word.plain not in ("Healthy", "Synced")


def test_an_old_state_is_told_with_its_time_its_age_and_the_reason() -> None:
    aged = item(freshness="offline", presence="offline")
    assert freshness.sentence(aged, NOW) == "Synced, Healthy as of 14:02, 37 min ago, cluster offline"
    assert freshness.word(aged, "health", NOW).plain == "Healthy as of 14:02"
    assert freshness.last_word(aged, NOW).plain == "37 min ago, cluster offline"


def test_a_state_of_another_day_is_told_with_its_date() -> None:
    moment = at(days=3)
    aged = item(freshness="stale", observed_at_ms=moment, received_at_ms=moment)
    assert freshness.word(aged, "health", NOW).plain == "Healthy as of 2026-03-11 14:39"
    assert freshness.last_word(aged, NOW).plain == "3 days ago, cluster silent"


@pytest.mark.parametrize("ahead_ms", [-3_600_000, 0, 3_600_000])
def test_an_age_is_the_hubs_whatever_the_clock_of_who_reads_it_says(ahead_ms: int) -> None:
    aged = item(freshness="offline", presence="offline", heard_at_ms=at(minutes=37) + ahead_ms, age_s=2220)
    assert freshness.sentence(aged, NOW) == "Synced, Healthy as of 14:02, 37 min ago, cluster offline"


def test_of_a_word_whose_age_nobody_knows_no_time_is_told() -> None:
    aged = item(freshness="stale", age_s=None)
    assert freshness.sentence(aged, NOW) == (
        "Synced, Healthy as of an unknown time, at an unknown time, cluster silent"
    )


def test_a_cluster_that_is_there_and_silent_is_not_green() -> None:
    assert freshness.presence(item(), NOW).style == "green"
    assert freshness.presence(item(freshness="stale"), NOW).style == "yellow"
    assert freshness.presence(item(freshness="offline", presence="offline"), NOW).style == "red"


def test_an_application_that_was_never_heard_of_says_so() -> None:
    unheard = {"name": "web", "freshness": "unknown", "presence": "offline"}
    assert freshness.word(unheard, "health", NOW).plain == "Unknown"
    assert freshness.last_word(unheard, NOW).plain == "never heard of, cluster offline"
    assert freshness.sentence(unheard, NOW) == "Unknown, Unknown: never heard of, cluster offline"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (172_799, "47 h"),
        (172_800, "2 days"),
    ],
)
def test_a_length_of_time_is_told_in_one_unit(seconds: float, text: str) -> None:
    assert freshness.span(seconds) == text


def test_only_a_commit_is_shortened() -> None:
    assert freshness.short_revision("0123456789abcdef0123456789abcdef01234567") == "0123456"
    assert freshness.short_revision("v1.2.3-a-long-name-of-a-tag") == "v1.2.3-a-long-name-of-a-tag"
    assert freshness.short_revision(None) == ""
