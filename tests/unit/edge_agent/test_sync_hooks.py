"""What a sync does next where it has hooks."""

from __future__ import annotations

from tests.unit.edge_agent.sync_model import (
    Cluster,
    awaits,
    entry,
    failed_with,
    hook,
    key,
)

from edge_agent.health import PROGRESSING, Health
from edge_agent.sync import (
    Await,
    Finished,
    next_step,
)


def test_phases_come_in_order_and_each_waits_for_the_last() -> None:
    cluster = Cluster(
        [entry("Deployment", "web")],
        hooks=[
            hook("PostSync", "after"),
            hook("PreSync", "before", -1),
            hook("PreSync", "later", 5),
            hook("Sync", "beside"),
            hook("SyncFail", "never"),
        ],
    )
    cluster.running |= {"before"}
    assert "PreSync hook Job before" in awaits(cluster)
    assert cluster.did("apply", "hook") == [["before"]]
    cluster.ends("before")
    cluster.health[key("Deployment", "web")] = Health(PROGRESSING)
    assert "web" in awaits(cluster)
    assert cluster.did("apply", "hook") == [["before"], ["later"], ["web"], ["beside"]]
    cluster.health.clear()
    assert cluster.run() == Finished(True, "successfully synced")
    assert cluster.did("apply", "hook")[-1] == ["after"]


def test_hooks_of_every_phase_are_judged_before_anything_is_touched() -> None:
    cluster = Cluster([entry("ConfigMap", "a")], hooks=[hook("SyncFail", "bad")], invalid={key("Job", "bad")})
    assert "bad" in failed_with(cluster)
    assert cluster.did("apply", "hook") == []


def test_a_sync_waits_for_the_hooks_of_its_last_stage() -> None:
    cluster = Cluster([], hooks=[hook("PostSync", "slow")], running={"slow"})
    assert "slow" in awaits(cluster)
    cluster.ends("slow")
    assert cluster.run() == Finished(True, "successfully synced")


def test_a_failed_hook_ends_the_sync_and_runs_the_hooks_of_failure() -> None:
    cluster = Cluster(
        [entry("ConfigMap", "a")],
        hooks=[hook("PreSync", "check"), hook("SyncFail", "tell"), hook("PostSync", "after")],
        bad={"check"},
    )
    message = failed_with(cluster)
    assert "PreSync hook Job check failed: said" in message
    assert cluster.did("apply", "hook") == [["check"], ["tell"]]


def test_a_failed_apply_runs_the_hooks_of_failure_and_waits_for_them() -> None:
    cluster = Cluster(
        [entry("ConfigMap", "a")],
        failing={key("ConfigMap", "a")},
        hooks=[hook("SyncFail", "tell")],
        running={"tell"},
    )
    assert "SyncFail hook Job tell" in awaits(cluster)
    cluster.bad.add("tell")
    cluster.ends("tell")
    assert "SyncFail hook Job tell failed" in failed_with(cluster)


def test_a_hook_that_fails_while_another_runs_lets_that_end_first() -> None:
    cluster = Cluster(
        [],
        hooks=[hook("Sync", "slow"), hook("Sync", "bad"), hook("SyncFail", "tell")],
        running={"slow"},
        bad={"bad"},
    )
    assert "slow" in awaits(cluster)
    assert cluster.did("hook") == [["bad", "slow"]]
    cluster.ends("slow")
    failed_with(cluster)
    assert cluster.did("hook")[1:] == [["tell"]]


def test_a_refusal_before_anything_is_touched_runs_no_hook() -> None:
    cluster = Cluster(
        [entry("ConfigMap", "a")], invalid={key("ConfigMap", "a")}, hooks=[hook("SyncFail", "tell")]
    )
    failed_with(cluster)
    assert cluster.did("hook") == []


def test_a_hook_waits_until_its_forerunner_is_deleted() -> None:
    cluster = Cluster([], hooks=[hook("PreSync", "check")], in_the_way={key("Job", "check")})
    assert "former" in awaits(cluster)
    cluster.in_the_way.clear()
    assert isinstance(cluster.run(), Finished)
    assert cluster.did("hook") == [["check"], ["check"]]


def test_hooks_are_deleted_by_how_the_sync_ended_not_by_how_they_did() -> None:
    hooks = [
        hook("PreSync", "on-success", 0, "Job", "HookSucceeded"),
        hook("PreSync", "on-failure", 0, "Job", "HookFailed"),
        hook("PreSync", "either", 0, "Job", "HookSucceeded", "HookFailed"),
        hook("PreSync", "neither"),
        hook("PostSync", "last"),
    ]
    well = Cluster([], hooks=hooks)
    assert well.run() == Finished(True, "successfully synced")
    assert well.did("clean") == [["either", "on-success"]]
    badly = Cluster([], hooks=hooks, bad={"last"})
    failed_with(badly)
    assert badly.did("clean") == [["either", "on-failure"]]


def test_the_next_stage_is_held_back_for_the_pause_and_no_stage_by_itself() -> None:
    cluster = Cluster(
        [entry("ConfigMap", "a"), entry("Deployment", "b"), entry("ConfigMap", "c", 1)], pause_s=2.0
    )
    step = cluster.run()
    assert step == Await((), "pauses between waves", 2.0)
    assert cluster.did("apply") == [["a"], ["b"]]
    cluster.pause_s = 0.0
    assert isinstance(cluster.run(), Finished)


def test_a_sync_that_failed_before_a_crash_winds_up_after_it() -> None:
    cluster = Cluster([entry("ConfigMap", "a")], hooks=[hook("PreSync", "check"), hook("SyncFail", "tell")])
    cluster.bad.add("check")
    while not cluster.failure:
        cluster.carry_out(next_step(cluster.facts()))
    cluster.forget()
    assert "check failed" in failed_with(cluster)
    assert cluster.did("apply", "hook") == [["check"], ["tell"]]
