"""What makes a hook, what it is called, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.applications.ledger import Ledger
from edge_agent.cluster import Key, Kind
from edge_agent.health import DEGRADED, HEALTHY, PROGRESSING, SUSPENDED, UNKNOWN, Health
from edge_agent.sync import Doomed, Entry, Prepared, Run, prepare
from edge_agent.sync.hooks import marked, policies_of, restored
from edge_agent.sync.phases import UnknownHook, phases_of
from edge_agent.sync.policy import Policy
from edge_agent.sync.steps import prune_stages

JOB = Kind("batch", "v1", "Job")


def job(generated: str = "", /, **annotations: str) -> dict[str, Any]:
    names = {
        "hook": "argocd.argoproj.io/hook",
        "policy": "argocd.argoproj.io/hook-delete-policy",
        "helm": "helm.sh/hook",
        "helm_policy": "helm.sh/hook-delete-policy",
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "generateName" if generated else "name": "migrate-",
            "annotations": {names[name]: value for name, value in annotations.items()},
        },
    }


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, None),
        ({"hook": ""}, None),
        ({"hook": "PreSync"}, ("PreSync",)),
        ({"hook": " PostSync , PreSync "}, ("PreSync", "PostSync")),
        ({"hook": "Skip"}, ()),
        ({"hook": "Skip,Sync"}, ("Sync",)),
        ({"hook": "PreDelete,PostDelete"}, ("PreDelete", "PostDelete")),
        ({"helm": "pre-install,pre-upgrade"}, ("PreSync",)),
        ({"helm": "post-upgrade,post-install,post-rollback"}, ("PostSync",)),
        ({"helm": "pre-delete"}, ("PreDelete",)),
        ({"helm": "post-delete,test"}, ("PostDelete",)),
        ({"helm": "test"}, ()),
        ({"helm": "pre-rollback,post-rollback"}, ()),
        ({"helm": "crd-install"}, None),
        ({"helm": "test", "hook": "SyncFail"}, ("SyncFail",)),
        ({"helm": "pre-install", "hook": "Skip"}, ()),
    ],
)
def test_annotations_name_the_phases(annotations: dict[str, str], expected: tuple[str, ...] | None) -> None:
    assert phases_of(job(**annotations)) == expected


def test_a_hook_that_does_not_exist_is_named() -> None:
    with pytest.raises(UnknownHook, match="'PreSink' is no hook"):
        phases_of(job(hook="PreSink"))


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, {"BeforeHookCreation"}),
        ({"policy": "nonsense"}, {"BeforeHookCreation"}),
        ({"policy": "HookSucceeded,HookFailed"}, {"HookSucceeded", "HookFailed"}),
        ({"helm_policy": "before-hook-creation,hook-succeeded"}, {"BeforeHookCreation", "HookSucceeded"}),
        ({"policy": "HookFailed", "helm_policy": "hook-succeeded"}, {"HookFailed", "HookSucceeded"}),
    ],
)
def test_delete_policies_are_read_from_both_annotations(
    annotations: dict[str, str], expected: set[str]
) -> None:
    assert policies_of(job(**annotations)) == expected


def prepared(*manifests: dict[str, Any]) -> Prepared:
    return prepare("till", manifests, Policy("shop"), lambda _: True)


def test_a_generated_name_is_the_same_within_a_sync_and_another_in_the_next() -> None:
    one, other = prepared(job("generated", hook="Sync"), job("generated", hook="Sync")).hooks
    assert one.key_in("a") == one.key_in("a")
    assert len({one.key_in("a"), one.key_in("b"), other.key_in("a")}) == 3
    assert one.key_in("a").name.startswith("migrate-")


def test_a_generated_name_fits_what_a_job_appends_to_it() -> None:
    long = job("generated", hook="Sync")
    long["metadata"]["generateName"] = "x" * 200
    (hook,) = prepared(long).hooks
    assert len(hook.key_in("a").name) <= 63


def test_a_name_may_be_generated_for_hooks_alone() -> None:
    (problem,) = prepared(job("generated")).problems
    assert "for hooks alone" in str(problem)


def test_a_hook_is_restored_from_its_id_and_its_manifest() -> None:
    result = prepared(
        job(hook="PreDelete,PostDelete"),
        job("generated", hook="PostDelete", policy="HookFailed"),
        job("generated", hook="PostDelete"),
    )
    assert len(result.hooks) == 4
    for hook in result.hooks:
        assert restored(hook.id, result.hook_manifests[hook.id]) == hook


def test_a_hooks_object_carries_its_name_and_its_mark_and_the_bundle_stays_as_it_is() -> None:
    manifest = job("generated", hook="Sync")
    found = marked(manifest, Key("batch", "Job", "shop", "migrate-1"), "sync.Sync")
    assert found["metadata"]["name"] == "migrate-1"
    assert "generateName" not in found["metadata"]
    assert "generateName" in manifest["metadata"]


def test_a_hook_of_two_phases_has_another_mark_in_each() -> None:
    one, other = prepared(job(hook="PreSync,PostSync")).hooks
    assert one.mark_in("a") != other.mark_in("a")


@pytest.mark.parametrize(
    ("health", "state"),
    [
        (None, "Succeeded"),
        (Health(HEALTHY), "Succeeded"),
        (Health(DEGRADED, "no"), "Failed"),
        (Health(UNKNOWN), "Failed"),
        (Health(PROGRESSING), "Running"),
        (Health(SUSPENDED, counts_as=HEALTHY), "Running"),
    ],
)
def test_a_hook_is_judged_by_its_health(health: Health | None, state: str) -> None:
    assert Run(Key("batch", "Job", "shop", "a"), JOB, "Running", "uid").judged(health).state == state


def test_what_a_hook_needs_comes_before_the_hook() -> None:
    first = job(hook="PreSync")
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    result = prepare("till", [namespace, first], Policy("shop"), lambda kind: kind.kind != "Namespace")
    (entry,) = result.entries
    assert entry.phase == "PreSync"


def doomed(name: str, wave: int, *, last: bool = False) -> Doomed:
    return Doomed(
        Key("", "ConfigMap", "shop", name), Kind("", "v1", "ConfigMap"), "uid", "1", wave, last=last
    )


def test_pruned_objects_take_each_others_waves_from_both_ends() -> None:
    found = tuple(doomed(name, wave) for name, wave in (("a", -1), ("b", 0), ("c", 7), ("d", 7)))
    stages = {key.name: wave for key, (_, wave) in prune_stages(found, ()).items()}
    assert stages == {"a": 7, "b": 0, "c": -1, "d": -1}


def test_what_is_pruned_last_comes_behind_every_wave() -> None:
    entry = Entry(Key("", "ConfigMap", "shop", "x"), Kind("", "v1", "ConfigMap"), b"", 9)
    stages = prune_stages((doomed("a", 3, last=True), doomed("b", 1)), (entry,))
    assert {key.name: wave for key, (_, wave) in stages.items()} == {"a": 10, "b": 3}


def test_a_ledger_is_read_as_it_was_written() -> None:
    key = Key("batch", "Job", "shop", "a")
    ledger = Ledger(
        "sync",
        {"PreSync a": Run(key, JOB, "Running", "uid", "said")},
        "why",
        {key: "old"},
        [Run(key, JOB, "Creating")],
    )
    assert Ledger.of(ledger.value()) == ledger
    assert Ledger.of(None) == Ledger()


def test_the_next_sync_stops_what_still_runs_of_the_last() -> None:
    key = Key("batch", "Job", "shop", "a")
    runs = {"a": Run(key, JOB, "Running", "uid"), "b": Run(key, JOB, "Succeeded", "uid2")}
    assert Ledger("one", runs).next("two") == Ledger("two", stale=[runs["a"]])
