from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from outrider_playground.kubernetes.ages import age

NOW = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (599, "9m59s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (4 * 3600 + 300, "4h5m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (50 * 3600, "2d2h"),
        (9 * 86400, "9d"),
    ],
)
def test_ages_have_two_figures_at_most(seconds: int, expected: str) -> None:
    since = (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert age(since, NOW) == expected


def test_an_unknown_time_has_no_age() -> None:
    assert age("", NOW) == "<unknown>"
