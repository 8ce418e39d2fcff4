from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider_playground.kubernetes.controllers import rollout


def _spec(replicas: int, surge: int | str = "25%", unavailable: int | str = "25%") -> dict[str, Any]:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (_spec(2), rollout.Bounds(1, 0)),
        (_spec(4), rollout.Bounds(1, 1)),
        (_spec(10), rollout.Bounds(3, 2)),
        (_spec(1, 0, 0), rollout.Bounds(0, 1)),
        (_spec(3, 2, "50%"), rollout.Bounds(2, 1)),
        ({"replicas": 3, "strategy": {"type": "Recreate"}}, rollout.Bounds(0, 0)),
    ],
)
def test_surge_is_rounded_up_and_unavailable_down(spec: dict[str, Any], expected: rollout.Bounds) -> None:
    assert rollout.bounds(spec) == expected


@given(
    st.integers(0, 12),
    st.lists(st.integers(0, 8), max_size=3),
    st.sampled_from([0, 1, 3, "25%", "100%"]),
    st.sampled_from([0, 1, 2, "25%", "100%"]),
    st.randoms(use_true_random=False),
)
def test_a_rollout_ends_and_stays_within_its_bounds(
    wanted: int, old: list[int], surge: int | str, unavailable: int | str, chance: Any
) -> None:
    spec = _spec(wanted, surge, unavailable)
    bounds = rollout.bounds(spec)
    new, ready_new = 0, 0
    old = list(old)
    start = sum(old)
    for _ in range(200):
        grown = rollout.new_replicas(spec, new, new + sum(old))
        assert grown + sum(old) <= max(wanted + bounds.surge, start)
        new = grown
        ready_new = min(ready_new, new)
        shrunk = rollout.scaled_down(spec, [(each, each) for each in old], (new, ready_new))
        assert all(0 <= after <= before for after, before in zip(shrunk, old, strict=True))
        if shrunk != old:
            assert sum(shrunk) + ready_new >= min(wanted - bounds.unavailable, sum(old) + ready_new)
        old = shrunk
        if new == ready_new == wanted and not any(old):
            return
        ready_new = min(new, ready_new + chance.randint(1, 2))
    raise AssertionError(f"never finished: new {new}, old {old}")


def test_pods_that_are_not_available_go_first() -> None:
    assert rollout.scaled_down(_spec(4), [(4, 1)], (1, 1)) == [2]


def _progressing(reason: str, seconds_ago: int, now: datetime) -> dict[str, Any]:
    since = (now - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "conditions": [{"type": "Progressing", "status": "True", "reason": reason, "lastUpdateTime": since}]
    }


@pytest.mark.parametrize(
    ("reason", "seconds_ago", "expected"),
    [
        ("ReplicaSetUpdated", 9, False),
        ("ReplicaSetUpdated", 10, False),
        ("ReplicaSetUpdated", 11, True),
        ("NewReplicaSetAvailable", 99, False),
        ("ProgressDeadlineExceeded", 0, True),
    ],
)
def test_a_rollout_times_out_once_its_deadline_has_passed(
    reason: str, seconds_ago: int, expected: bool
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    spec = {**_spec(1), "progressDeadlineSeconds": 10}
    assert rollout.timed_out(spec, _progressing(reason, seconds_ago, now), now) is expected


def test_a_rollout_without_any_report_has_not_timed_out() -> None:
    assert not rollout.timed_out(_spec(1), {}, datetime(2026, 1, 1, tzinfo=UTC))
