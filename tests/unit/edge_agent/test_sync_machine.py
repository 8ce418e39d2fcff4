"""What a sync does next: order, waves, needs, pruning."""

from __future__ import annotations

from tests.unit.edge_agent.sync_model import (
    Cluster,
    awaits,
    crd_and_widget,
    doomed,
    entry,
    key,
)

from edge_agent.cluster import Kind
from edge_agent.health import DEGRADED, HEALTHY, PROGRESSING, Health
from edge_agent.sync import (
    Await,
    Finished,
    Result,
)


def test_nothing_out_of_sync_is_a_success_without_a_request() -> None:
    cluster = Cluster([entry("ConfigMap", "a")], live={key("ConfigMap", "a")})
    assert cluster.run() == Finished(True, "successfully synced")
    assert cluster.log == []


def test_everything_is_validated_before_anything_is_applied() -> None:
    cluster = Cluster([entry("Deployment", "d"), entry("ConfigMap", "c", wave=2)])
    cluster.run()
    assert [verb for verb, _ in cluster.log] == ["validate", "apply", "apply"]
    assert sorted(cluster.log[0][1]) == ["c", "d"]


def test_one_invalid_object_fails_the_sync_and_nothing_is_touched() -> None:
    cluster = Cluster(
        [entry("ConfigMap", "good"), entry("Deployment", "bad")], invalid={key("Deployment", "bad")}
    )
    finished = cluster.run()
    assert isinstance(finished, Finished)
    assert not finished.succeeded
    assert "bad" in finished.message
    assert "spec.x: wrong" in finished.message
    assert cluster.did("apply") == []


def test_what_is_refused_beforehand_is_not_even_validated() -> None:
    refused = Result(key("Job", "hook"), Kind("batch", "v1", "Job"), "SyncFailed", "not supported")
    cluster = Cluster([entry("ConfigMap", "a")], refused=(refused,))
    finished = cluster.run()
    assert isinstance(finished, Finished)
    assert not finished.succeeded
    assert cluster.log == []


def test_objects_of_one_kind_are_applied_together_kinds_in_order() -> None:
    cluster = Cluster(
        [entry("Deployment", "d"), entry("ConfigMap", "b"), entry("ConfigMap", "a"), entry("Widget", "w")]
    )
    cluster.run()
    assert cluster.did("apply") == [["a", "b"], ["d"], ["w"]]


def test_a_failed_group_ends_the_sync_before_the_next() -> None:
    cluster = Cluster(
        [entry("ConfigMap", "a"), entry("ConfigMap", "b"), entry("Deployment", "d")],
        failing={key("ConfigMap", "b")},
    )
    finished = cluster.run()
    assert isinstance(finished, Finished)
    assert not finished.succeeded
    assert cluster.did("apply") == [["a", "b"]]
    assert cluster.done[key("ConfigMap", "a")].status == "Synced"


def test_the_next_wave_waits_until_this_one_is_healthy() -> None:
    first = key("Deployment", "first")
    cluster = Cluster([entry("Deployment", "first"), entry("ConfigMap", "second", wave=1)])
    cluster.health[first] = Health(PROGRESSING, "1 of 2")
    step = cluster.run()
    assert isinstance(step, Await)
    assert step.keys == (first,)
    assert "first" in step.reason
    cluster.health[first] = Health(HEALTHY)
    assert isinstance(cluster.run(), Finished)
    assert cluster.did("apply") == [["first"], ["second"]]


def test_a_wave_that_degrades_fails_the_sync() -> None:
    cluster = Cluster([entry("Deployment", "first"), entry("ConfigMap", "second", wave=1)])
    cluster.health[key("Deployment", "first")] = Health(DEGRADED, "crashes")
    finished = cluster.run()
    assert isinstance(finished, Finished)
    assert not finished.succeeded
    assert "crashes" in finished.message
    assert cluster.did("apply") == [["first"]]


def test_the_last_wave_is_not_waited_for() -> None:
    cluster = Cluster([entry("Deployment", "only")])
    cluster.health[key("Deployment", "only")] = Health(PROGRESSING)
    assert cluster.run() == Finished(True, "successfully synced")


def test_an_earlier_wave_in_sync_but_unhealthy_still_holds_the_next_back() -> None:
    first = key("Deployment", "first")
    cluster = Cluster([entry("Deployment", "first"), entry("ConfigMap", "second", wave=1)], live={first})
    cluster.health[first] = Health(PROGRESSING)
    assert isinstance(cluster.run(), Await)
    assert cluster.did("apply") == []


def test_an_object_is_judged_only_once_its_definition_is_there() -> None:
    definition, widget = crd_and_widget()
    cluster = Cluster([widget, definition])
    assert cluster.run() == Finished(True, "successfully synced")
    assert cluster.log == [
        ("validate", ["widgets.example.com"]),
        ("apply", ["widgets.example.com"]),
        ("validate", ["w"]),
        ("apply", ["w"]),
    ]


def test_an_object_waits_for_its_definition_to_be_established() -> None:
    definition, widget = crd_and_widget()
    cluster = Cluster([widget, definition], health={definition.key: Health(PROGRESSING)})
    step = cluster.run()
    assert isinstance(step, Await)
    assert step.keys == (definition.key,)
    cluster.health.clear()
    assert isinstance(cluster.run(), Finished)


def test_a_definition_that_is_refused_fails_the_sync() -> None:
    definition, widget = crd_and_widget()
    cluster = Cluster([widget, definition], health={definition.key: Health(DEGRADED, "names taken")})
    finished = cluster.run()
    assert isinstance(finished, Finished)
    assert not finished.succeeded
    assert "names taken" in finished.message


def test_pruning_goes_through_the_waves_backwards() -> None:
    """Each wave's own objects are pruned before it applies anything."""
    cluster = Cluster(
        [entry("ConfigMap", "first", -1), entry("ConfigMap", "wanted")],
        doomed=[
            doomed("ConfigMap", "c"),
            doomed("Deployment", "d"),
            doomed("Deployment", "early", -1),
            doomed("Pod", "late", 3),
        ],
    )
    cluster.run()
    assert cluster.did("apply", "prune") == [["late"], ["first"], ["d"], ["c"], ["wanted"], ["early"]]


def test_what_is_pruned_last_goes_after_everything_is_applied_and_healthy() -> None:
    cluster = Cluster([entry("Deployment", "web", 2)], doomed=[doomed("ConfigMap", "old", last=True)])
    cluster.health[key("Deployment", "web")] = Health(PROGRESSING)
    assert "web" in awaits(cluster)
    assert cluster.did("prune") == []
    cluster.health.clear()
    cluster.run()
    assert cluster.did("apply", "prune") == [["web"], ["old"]]


def test_the_next_wave_waits_until_what_was_pruned_is_gone() -> None:
    old = doomed("Deployment", "old", 0)
    cluster = Cluster([entry("ConfigMap", "next", 1)], doomed=[old], lingering={old.key})
    assert "deletion" in awaits(cluster)
    assert cluster.did("apply") == []
    cluster.lingering.clear()
    cluster.run()
    assert cluster.did("apply") == [["next"]]


def test_what_must_be_confirmed_holds_its_wave_until_somebody_does() -> None:
    cluster = Cluster([entry("ConfigMap", "a")], doomed=[doomed("ConfigMap", "old", confirm=True)])
    assert "approval" in awaits(cluster)
    assert cluster.did("apply", "prune") == []
    cluster.doomed = [doomed("ConfigMap", "old")]
    cluster.run()
    assert cluster.did("prune") == [["old"]]


def test_what_is_being_deleted_already_is_not_deleted_again() -> None:
    cluster = Cluster([], doomed=[doomed("ConfigMap", "old", going=True)])
    assert cluster.run() == Finished(True, "successfully synced")
    assert cluster.did("prune") == []


def test_what_is_to_be_pruned_last_stays_when_an_apply_failed() -> None:
    cluster = Cluster(
        [entry("ConfigMap", "a")],
        failing={key("ConfigMap", "a")},
        doomed=[doomed("Deployment", "old", last=True)],
    )
    cluster.run()
    assert cluster.did("prune") == []
