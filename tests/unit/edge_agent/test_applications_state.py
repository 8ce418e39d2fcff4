"""What is kept of live objects and of an application's progress."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge_agent.applications import Selector, Settings, Sync
from edge_agent.applications.heals import healable, spend
from edge_agent.applications.inventory import Inventory, older
from edge_agent.applications.ledger import Ledger
from edge_agent.applications.progress import Attempt, Progress, read
from edge_agent.applications.state import State
from edge_agent.cluster import Key, Kind
from edge_agent.diff import LiveState, Verdict
from edge_agent.sync import Run
from outrider.manifests.tracking import tracked

KEY = Key("", "ConfigMap", "shop", "a")


def live(version: int, app: str = "till", **more: Any) -> dict[str, Any]:
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "shop"},
        "data": {},
    }
    found = tracked(manifest, app, KEY)
    found["metadata"] |= {"uid": "u", "resourceVersion": str(version)}
    return found | more


class Told(list[tuple[Key, set[str]]]):
    """Remembers what it was told."""

    def __call__(self, key: Key, named: set[str]) -> None:
        self.append((key, named))


def test_an_object_that_comes_changes_and_goes_is_told() -> None:
    told = Told()
    inventory = Inventory(told)
    inventory.observe(live(1))
    inventory.observe(live(2, data={"x": "1"}))
    inventory.lose(KEY, "3")
    assert told == [(KEY, {"till"})] * 3
    assert inventory.get(KEY) is None


def test_a_change_that_decides_nothing_is_not_told() -> None:
    told = Told()
    inventory = Inventory(told)
    inventory.observe(live(1))
    inventory.observe(live(2, status={"seen": 5}))
    assert len(told) == 1
    found = inventory.get(KEY)
    assert found
    assert found.resource_version == "2"


def test_a_state_older_than_the_one_known_is_ignored() -> None:
    inventory = Inventory(Told())
    inventory.observe(live(9, data={"x": "new"}))
    known = inventory.get(KEY)
    assert inventory.observe(live(5)) is known
    inventory.lose(KEY, "7")
    assert inventory.get(KEY) is known


def test_an_object_made_anew_under_the_same_name_is_another_one() -> None:
    inventory = Inventory(Told())
    inventory.observe(live(9))
    again = live(3)
    again["metadata"]["uid"] = "other"
    assert inventory.observe(again).uid == "other"


def test_both_applications_are_told_when_an_object_changes_hands() -> None:
    told = Told()
    inventory = Inventory(told)
    inventory.observe(live(1, "one"))
    inventory.observe(live(2, "two"))
    assert told[-1] == (KEY, {"one", "two"})
    assert [found.key for found in inventory.tracked("two")] == [KEY]
    assert inventory.tracked("one") == []


def test_versions_that_are_no_numbers_are_never_older() -> None:
    assert older("1", "2")
    assert not older("2", "2")
    assert not older("abc", "2")
    assert not older("", "2")


def test_images_are_found_in_workloads_and_pods() -> None:
    containers = {"containers": [{"image": "b"}, {"image": "a"}], "initContainers": [{"image": "c"}]}
    specs: list[Any] = [containers, {"template": {"spec": containers}}]
    for spec in specs:
        assert Inventory(Told()).observe(live(1, spec=spec)).images == ("a", "b", "c")
    odd: list[Any] = [{"containers": "x"}, {"template": []}, "odd", None]
    for spec in odd:
        assert Inventory(Told()).observe(live(1, spec=spec)).images == ()


def test_progress_survives_being_written_as_json() -> None:
    progress = Progress(
        attempt=Attempt("identity", "Failed", 3),
        kinds=frozenset({Kind("apps", "v1", "Deployment"), Kind("", "v1", "ConfigMap")}),
        operation={"phase": "Failed"},
        request=Sync("1", prune=True, resources=(Selector("", "ConfigMap", "a"),), initiated_by="somebody"),
        in_sync={KEY: Verdict(b"d", LiveState(b"", b"c"), in_sync=True)},
    )
    again = read(json.loads(json.dumps(progress.value())))
    assert again == progress


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"v": 2},
        {"v": 1},
        {"v": 1, "attempt": ["a"], "kinds": [], "operation": None, "request": None, "in_sync": []},
    ],
)
def test_progress_that_cannot_be_read_is_none(value: dict[str, Any] | None) -> None:
    assert read(value) is None


def test_an_object_is_healed_at_once_for_a_while_and_slowly_thereafter() -> None:
    state, settings = State("till"), Settings(heal_burst=3, heal_per_s=1.0)
    for _ in range(3):
        assert healable([KEY], state, settings, 10.0) == (frozenset({KEY}), 10.0)
        spend([KEY], state, settings, 10.0)
    assert healable([KEY], state, settings, 10.0) == (frozenset(), 11.0)
    assert healable([KEY], state, settings, 11.0) == (frozenset({KEY}), 11.0)


def test_one_object_that_is_fought_over_holds_no_other_back() -> None:
    state, settings = State("till"), Settings(heal_burst=1)
    other = KEY._replace(name="b")
    spend([KEY], state, settings, 10.0)
    assert healable([KEY, other], state, settings, 10.0) == (frozenset({other}), 11.0)


def test_an_object_that_is_left_in_peace_is_forgotten() -> None:
    state, settings = State("till"), Settings(heal_burst=1)
    spend([KEY], state, settings, 10.0)
    spend([KEY._replace(name="b")], state, settings, 500.0)
    assert KEY not in state.healed


HOOK = Run(Key("batch", "Job", "shop", "migrate"), Kind("batch", "v1", "Job"), "Running", "uid-1")


def test_the_core_of_progress_stays_the_same_while_drift_is_healed_again_and_again() -> None:
    progress = Progress(attempt=Attempt("i", "Succeeded"), operation={"phase": "Succeeded", "startedAt": "1"})
    before = progress.core(progress.value())
    for n in range(5):
        progress.heals = True
        progress.hooks = progress.hooks.next(f"sync-{n}")
        for outcome in ("Running", "Succeeded"):
            progress.attempt = Attempt("i", outcome)
            progress.operation = {"phase": outcome, "startedAt": str(n)}
            assert progress.core(progress.value()) == before


def test_the_core_of_progress_stays_the_same_while_a_sync_fails_again_and_again() -> None:
    progress = Progress(attempt=Attempt("i", "Failed", 1))
    before = progress.core(progress.value())
    for n in range(2, 5):
        for outcome in ("Running", "Failed"):
            progress.attempt = Attempt("i", outcome, n)
            progress.hooks = progress.hooks.next(f"sync-{n}")
            assert progress.core(progress.value()) == before


@pytest.mark.parametrize("whole", [True, False])
def test_a_sync_that_has_begun_hooks_goes_on_from_the_core_alone(whole: bool) -> None:
    progress = Progress(
        attempt=Attempt("i", "Running", 2),
        operation={"phase": "Running", "startedAt": "2026-11-30T10:00:00Z", "message": "x"},
        hooks=Ledger("sync-1", {"PreSync migrate": HOOK}),
        kinds=frozenset({Kind("", "v1", "ConfigMap")}),
    )
    core = progress.core(progress.value())
    again = read({**(progress.value() if whole else {}), **core})
    assert again is not None
    assert again.attempt.outcome == "Running"
    assert again.hooks == progress.hooks
    assert again.operation is not None
    assert again.operation["startedAt"] == "2026-11-30T10:00:00Z"
    assert again.kinds == progress.kinds


def test_an_older_whole_does_not_undo_what_the_core_says() -> None:
    older = Progress(attempt=Attempt("i", "Succeeded"), operation={"phase": "Succeeded", "startedAt": "1"})
    newer = Progress(
        attempt=Attempt("j", "Running"),
        operation={"phase": "Running", "startedAt": "2", "message": "in progress"},
    )
    again = read({**older.value(), **newer.core(newer.value())})
    assert again is not None
    assert again.attempt == Attempt("j", "Running")
    assert again.operation == {"phase": "Running", "startedAt": "2", "message": "goes on after a restart"}


def test_a_heal_that_a_kill_cut_off_is_no_reason_to_run_hooks() -> None:
    progress = Progress(
        attempt=Attempt("i", "Running"), operation={"phase": "Running", "startedAt": "1"}, heals=True
    )
    again = read({**progress.value(), **progress.core(progress.value())})
    assert again is not None
    assert (again.attempt, again.operation) == (Attempt("i", "Succeeded"), None)
