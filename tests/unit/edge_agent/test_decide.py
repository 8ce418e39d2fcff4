"""Whether to sync, what, and when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.applications import Sync
from edge_agent.applications.decide import Begin, End, Rest, Situation, Wait, decide
from edge_agent.applications.progress import Attempt
from edge_agent.cluster import Key
from edge_agent.sync import Policy
from edge_agent.sync.windows import Gate

A, B = Key("", "ConfigMap", "shop", "a"), Key("", "ConfigMap", "shop", "b")
NOW = "bundle-2:settings"
AUTOMATED = Policy(automated=True, prune=True, self_heal=True)


def situation(**changes: Any) -> Situation:
    """In sync, and synced before."""
    return replace(
        Situation(
            policy=AUTOMATED,
            identity=NOW,
            attempt=Attempt(NOW, "Succeeded"),
            request=None,
            wanted=frozenset(),
            healable=frozenset(),
            taken=frozenset(),
            doomed=frozenset(),
            empty=False,
            problems=False,
            now_s=100.0,
            retry_at_s=0.0,
            heal_at_s=100.0,
        ),
        **changes,
    )


def drifted(*keys: Key, **changes: Any) -> Situation:
    return situation(**{"wanted": frozenset(keys), "healable": frozenset(keys), **changes})


def test_nothing_is_done_when_all_is_in_sync() -> None:
    assert decide(situation()) == Rest()


def test_something_new_that_is_out_of_sync_is_synced_whole() -> None:
    assert decide(drifted(A, attempt=Attempt("older", "Succeeded"))) == Begin(prune=True)


def test_something_new_that_is_in_sync_already_counts_as_synced() -> None:
    assert decide(situation(attempt=Attempt("older", "Succeeded"))) == Rest(settled=True)


def test_something_new_with_a_broken_manifest_is_synced_so_that_it_fails_by_name() -> None:
    assert decide(situation(attempt=Attempt("older", "Succeeded"), problems=True)) == Begin(prune=True)


def test_something_new_takes_an_object_from_another_application_once() -> None:
    assert decide(situation(attempt=Attempt("older", "Succeeded"), taken=frozenset({A}))) == Begin(prune=True)
    assert decide(situation(taken=frozenset({A}))) == Rest()


def test_drift_is_healed_alone() -> None:
    assert decide(drifted(A)) == Begin(prune=False, only=frozenset({A}))


def test_drift_without_self_heal_is_left() -> None:
    assert decide(drifted(A, policy=Policy(automated=True, prune=True))) == Rest()


def test_drift_that_comes_back_too_often_waits() -> None:
    waits = drifted(A, B, healable=frozenset({B}), heal_at_s=101.0)
    assert decide(waits) == Begin(prune=False, only=frozenset({B}))
    assert decide(replace(waits, healable=frozenset())) == Rest(until_s=101.0)


def test_what_must_be_pruned_is_pruned_by_self_heal_too() -> None:
    assert decide(situation(doomed=frozenset({A}))) == Begin(prune=True, only=frozenset())
    assert decide(situation(doomed=frozenset({A}), policy=Policy(automated=True, self_heal=True))) == Rest()


def test_a_failed_sync_waits_for_its_time_and_is_tried_again_whole() -> None:
    failed = drifted(A, attempt=Attempt(NOW, "Failed", 3), retry_at_s=130.0)
    assert decide(failed) == Rest(until_s=130.0, error=None)
    assert decide(replace(failed, now_s=130.0)) == Begin(prune=True)


def test_a_failed_sync_of_something_older_does_not_wait() -> None:
    assert decide(drifted(A, attempt=Attempt("older", "Failed", 9), retry_at_s=900.0)) == Begin(prune=True)


@pytest.mark.parametrize(("failures", "goes_on"), [(1, True), (2, True), (3, False)])
def test_a_retry_limit_counts_retries_after_the_first_attempt(failures: int, goes_on: bool) -> None:
    limited = replace(AUTOMATED, retry_limit=2)
    found = decide(drifted(A, policy=limited, attempt=Attempt(NOW, "Failed", failures)))
    assert isinstance(found, Begin) is goes_on
    if isinstance(found, Rest):
        assert "gave up" in (found.error or "")


def test_a_sync_that_was_running_goes_on() -> None:
    assert decide(drifted(A, attempt=Attempt(NOW, "Running"))) == Begin(prune=True)


def test_without_automation_only_a_person_begins_a_sync() -> None:
    by_hand = drifted(A, policy=Policy(), attempt=Attempt("older", "Succeeded"))
    assert decide(by_hand) == Rest()
    request = Sync("1", prune=True, dry_run=True)
    assert decide(replace(by_hand, request=request)) == Begin(prune=True, dry_run=True, request=request)


@pytest.mark.parametrize(
    "attempt", [Attempt(NOW, "Succeeded"), Attempt("older", "Succeeded"), Attempt(NOW, "Running")]
)
@pytest.mark.parametrize("request_", [None, Sync("1", prune=True)])
def test_an_empty_desired_set_prunes_nothing_unless_that_is_allowed(
    attempt: Attempt, request_: Sync | None
) -> None:
    emptied = situation(empty=True, doomed=frozenset({A, B}), attempt=attempt, request=request_)
    found = decide(emptied)
    assert isinstance(found, Rest)
    assert "allowEmpty" in (found.error or "")
    allowed = replace(emptied, policy=replace(AUTOMATED, allow_empty=True))
    assert isinstance(decide(allowed), Begin)


CLOSED = Gate(automated=False, manual=False, overrun=False, why="outside the allow window")


@pytest.mark.parametrize(
    "wanted",
    [
        drifted(A),
        drifted(A, attempt=Attempt("older", "Succeeded")),
        drifted(A, attempt=Attempt(NOW, "Failed", 3)),
        drifted(A, attempt=Attempt(NOW, "Running")),
        drifted(A, request=Sync("1")),
    ],
)
def test_whatever_would_begin_waits_for_its_window_until_that_may_open(wanted: Situation) -> None:
    assert isinstance(decide(wanted), Begin)
    assert decide(replace(wanted, gate=CLOSED, gate_at_s=150.0)) == Wait(
        "waits for a sync window: outside the allow window", 150.0
    )


def test_nothing_waits_for_a_window_when_there_is_nothing_to_do() -> None:
    assert decide(situation(gate=CLOSED)) == Rest()
    failed = drifted(A, attempt=Attempt(NOW, "Failed", 3), retry_at_s=130.0, gate=CLOSED)
    assert decide(failed) == Rest(until_s=130.0, error=None)


def test_a_persons_sync_passes_where_the_windows_let_people_through() -> None:
    let_through = replace(CLOSED, manual=True)
    request = Sync("1")
    assert decide(drifted(A, request=request, gate=let_through)) == Begin(prune=False, request=request)
    assert isinstance(decide(drifted(A, gate=let_through)), Wait)


def test_a_dry_run_needs_no_window() -> None:
    request = Sync("1", dry_run=True)
    assert decide(drifted(A, request=request, gate=CLOSED)) == Begin(
        prune=False, dry_run=True, request=request
    )


def test_only_a_sync_that_was_running_overruns_its_window() -> None:
    overrun = replace(CLOSED, overrun=True)
    assert decide(drifted(A, attempt=Attempt(NOW, "Running"), gate=overrun)) == Begin(prune=True)
    for attempt in (Attempt("older", "Running"), Attempt(NOW, "Failed", 1), Attempt(NOW, "Succeeded")):
        assert isinstance(decide(drifted(A, attempt=attempt, gate=overrun)), Wait)


HELD = Gate(held="held by anna until 06:00: stocktaking", held_for_s=50.0)


@pytest.mark.parametrize(
    "wanted",
    [
        drifted(A),
        drifted(A, attempt=Attempt("older", "Succeeded")),
        drifted(A, attempt=Attempt(NOW, "Failed", 3)),
        drifted(A, attempt=Attempt(NOW, "Running")),
        situation(doomed=frozenset({A})),
        drifted(A, request=Sync("1")),
    ],
)
def test_whatever_would_begin_or_go_on_waits_while_the_site_holds(wanted: Situation) -> None:
    assert isinstance(decide(wanted), Begin)
    assert decide(replace(wanted, gate=HELD, gate_at_s=150.0)) == Wait(
        "waits: it is held by anna until 06:00: stocktaking", 150.0
    )


def test_what_is_marked_to_goes_through_a_hold_and_not_through_a_window() -> None:
    request = Sync("1", despite_hold=True)
    assert decide(drifted(A, request=request, gate=HELD)) == Begin(prune=False, request=request)
    both = replace(CLOSED, held=HELD.held)
    assert decide(drifted(A, request=request, gate=both)) == Wait(
        "waits for a sync window: outside the allow window"
    )
    passed = replace(HELD, held="", passed=HELD.held)
    assert decide(drifted(A, gate=passed)) == Begin(prune=False, only=frozenset({A}))


def test_a_dry_run_and_the_end_of_a_sync_need_nobodys_leave() -> None:
    request = Sync("1", dry_run=True)
    assert isinstance(decide(drifted(A, request=request, gate=HELD)), Begin)
    running = drifted(A, attempt=Attempt(NOW, "Running"), gate=HELD)
    assert decide(replace(running, ending="terminated by somebody")) == End("terminated by somebody", True)


def test_what_was_terminated_rests_until_something_changes() -> None:
    terminated = drifted(A, attempt=Attempt(NOW, "Terminated"))
    assert decide(terminated) == Rest(error=None)
    assert decide(replace(terminated, attempt=Attempt("older", "Terminated"))) == Begin(prune=True)
    assert isinstance(decide(replace(terminated, request=Sync("1"))), Begin)


def test_what_must_end_ends_before_anything_else_is_done() -> None:
    running = drifted(A, attempt=Attempt(NOW, "Running"), gate=CLOSED)
    assert decide(replace(running, ending="terminated by somebody")) == End("terminated by somebody", True)
    assert decide(replace(running, overdue="took longer than 5m")) == End("took longer than 5m", False)


def test_a_persons_sync_that_failed_waits_for_its_time_and_stays_asked_for() -> None:
    failed = drifted(A, request=Sync("1"), tried=1, attempt=Attempt(NOW, "Failed", 1), retry_at_s=130.0)
    assert decide(failed) == Rest(until_s=130.0, error=None)
    assert decide(replace(failed, now_s=130.0)) == Begin(prune=False, request=Sync("1"))
    assert decide(replace(failed, tried=0)) == Begin(prune=False, request=Sync("1"))


KEYS = st.frozensets(st.sampled_from([A, B]))
SITUATIONS = st.builds(
    situation,
    policy=st.builds(
        Policy,
        automated=st.booleans(),
        prune=st.booleans(),
        self_heal=st.booleans(),
        allow_empty=st.booleans(),
        retry_limit=st.none() | st.integers(0, 3),
    ),
    attempt=st.builds(
        Attempt,
        st.sampled_from([NOW, "older", ""]),
        st.sampled_from(["", "Running", "Succeeded", "Failed", "Terminated"]),
        st.integers(0, 5),
    ),
    wanted=KEYS,
    healable=KEYS,
    taken=KEYS,
    doomed=KEYS,
    empty=st.booleans(),
    problems=st.booleans(),
    retry_at_s=st.sampled_from([0.0, 200.0]),
    heal_at_s=st.sampled_from([100.0, 101.0]),
    gate=st.builds(Gate, st.booleans(), st.booleans(), st.booleans()),
    ending=st.sampled_from(["", "terminated"]),
)


@given(SITUATIONS)
def test_whatever_is_so_nothing_begins_unasked_and_nothing_is_emptied(found: Situation) -> None:
    decision = decide(found)
    if isinstance(decision, Begin):
        assert found.policy.automated
        assert found.policy.prune or not decision.prune
        assert not (decision.prune and found.empty and found.doomed and not found.policy.allow_empty)
        assert decision.only is None or found.policy.self_heal
        assert found.gate.automated or (
            found.gate.overrun and found.attempt == Attempt(NOW, "Running", found.attempt.failures)
        )
        assert found.attempt != Attempt(NOW, "Terminated", found.attempt.failures)
        assert not found.ending
    elif isinstance(decision, Rest) and decision.until_s is not None:
        assert decision.until_s >= found.now_s
