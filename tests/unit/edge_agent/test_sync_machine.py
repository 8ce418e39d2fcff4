"""What a sync does next. The cluster here is a few dictionaries that do what they are told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge_agent.cluster import Key, Kind
from edge_agent.health import DEGRADED, HEALTHY, MISSING, PROGRESSING, Health
from edge_agent.sync import (
    Apply,
    Await,
    Clean,
    Doomed,
    Entry,
    Facts,
    Fail,
    Finished,
    Hook,
    Prune,
    Result,
    Run,
    RunHooks,
    Step,
    Validate,
    next_step,
)

if TYPE_CHECKING:
    from edge_agent.sync.phases import Phase

GROUPS = {
    "Deployment": "apps",
    "CustomResourceDefinition": "apiextensions.k8s.io",
    "Widget": "example.com",
    "Job": "batch",
}


def key(kind: str, name: str) -> Key:
    return Key(GROUPS.get(kind, ""), kind, "shop", name)


def entry(kind: str, name: str, wave: int = 0, needs: tuple[Key, ...] = ()) -> Entry:
    return Entry(key(kind, name), Kind(GROUPS.get(kind, ""), "v1", kind), b"digest", wave, needs=needs)


def doomed(kind: str, name: str, wave: int = 0, **more: Any) -> Doomed:
    return Doomed(key(kind, name), Kind(GROUPS.get(kind, ""), "v1", kind), "uid", "1", wave, **more)


def hook(phase: Phase, name: str, wave: int = 0, kind: str = "Job", *policies: str) -> Hook:
    found = key(kind, name)
    return Hook(
        f"{phase} {found}",
        found,
        Kind(GROUPS.get(kind, ""), "v1", kind),
        phase,
        wave,
        policies=frozenset(policies or ("BeforeHookCreation",)),
    )


@dataclass
class Cluster:
    """Carries steps out and remembers them."""

    entries: list[Entry]
    live: set[Key] = field(default_factory=set)
    invalid: set[Key] = field(default_factory=set)
    failing: set[Key] = field(default_factory=set)
    health: dict[Key, Health] = field(default_factory=dict)
    doomed: list[Doomed] = field(default_factory=list)
    lingering: set[Key] = field(default_factory=set)
    """Pruned, and held by a finalizer."""
    refused: tuple[Result, ...] = ()
    hooks: list[Hook] = field(default_factory=list)
    running: set[str] = field(default_factory=set)
    """Names of hooks that don't end by themselves."""
    bad: set[str] = field(default_factory=set)
    """Names of hooks that fail."""
    in_the_way: set[Key] = field(default_factory=set)
    """Hooks of an earlier sync that are there still."""
    done: dict[Key, Result] = field(default_factory=dict)
    valid: set[Key] = field(default_factory=set)
    valid_hooks: set[str] = field(default_factory=set)
    runs: dict[str, Run] = field(default_factory=dict)
    failure: str = ""
    touched: bool = False
    stage: tuple[int, int] | None = None
    pause_s: float = 0.0
    log: list[tuple[str, list[str]]] = field(default_factory=list)

    def facts(self) -> Facts:
        return Facts(
            entries=tuple(sorted(self.entries, key=lambda entry: entry.place)),
            to_apply={entry.key for entry in self.entries if entry.key not in self.live},
            doomed=tuple(self.doomed),
            done=self.done,
            valid=self.valid,
            ready=lambda key: key in self.live and self.health.get(key, Health(HEALTHY)).status == HEALTHY,
            health=lambda key: self.health.get(key) if key in self.live else Health(MISSING),
            present=self.present,
            refused=self.refused,
            hooks=tuple(sorted(self.hooks, key=lambda hook: hook.place)),
            runs=self.runs,
            valid_hooks=self.valid_hooks,
            touched=self.touched,
            failure=self.failure,
            stage=self.stage,
            pause_s=self.pause_s,
        )

    def present(self, found: Key) -> bool:
        if found in self.in_the_way | self.lingering:
            return True
        gone = found in self.done and self.done[found].status == "Pruned"
        return not gone and found in {one.key for one in self.doomed}

    def run(self) -> Step:
        for _ in range(1000):
            step = next_step(self.facts())
            if isinstance(step, Await | Finished):
                return step
            self.carry_out(step)
        raise AssertionError("the sync goes round in circles")

    def carry_out(self, step: Step) -> None:  # noqa: C901 one case a step
        match step:
            case Validate(entries, hooks):
                things: list[Entry | Hook] = [*entries, *hooks]
                self._note("validate", [thing.key for thing in things])
                self.valid |= {entry.key for entry in entries} - self.invalid
                self.valid_hooks |= {hook.id for hook in hooks if hook.key not in self.invalid}
                for thing in things:
                    if thing.key in self.invalid:
                        self.done[thing.key] = Result(thing.key, thing.kind, "SyncFailed", "spec.x: wrong")
            case Apply(entries, stage):
                self._note("apply", [entry.key for entry in entries])
                self.touched, self.stage = True, stage
                for entry in entries:
                    bad = entry.key in self.failing
                    self.done[entry.key] = Result(entry.key, entry.kind, "SyncFailed" if bad else "Synced")
                    self.live |= set() if bad else {entry.key}
            case RunHooks(hooks, stage):
                self._note("hook", [hook.key for hook in hooks])
                self.touched, self.stage = True, stage
                for hook in hooks:
                    self.runs[hook.id] = self._begun(hook)
            case Prune(going, stage):
                self._note("prune", [found.key for found in going])
                self.touched, self.stage = True, stage
                for found in going:
                    self.done[found.key] = Result(found.key, found.kind, "Pruned")
            case Clean(hooks):
                self._note("clean", [hook.key for hook in hooks])
                for hook in hooks:
                    self.runs[hook.id] = replace(self.runs[hook.id], cleaned=True)
            case Fail(message):
                self.failure = message
            case Await() | Finished():
                raise AssertionError(step)

    def _begun(self, hook: Hook) -> Run:
        if hook.key in self.in_the_way:
            return Run(hook.key, hook.kind, "Clearing", "old")
        if hook.key.name in self.running:
            return Run(hook.key, hook.kind, "Running", "uid")
        return Run(hook.key, hook.kind, "Failed" if hook.key.name in self.bad else "Succeeded", "uid", "said")

    def ends(self, name: str) -> None:
        """A hook that ran ends."""
        self.running.discard(name)
        for found, run in self.runs.items():
            if run.key.name == name:
                self.runs[found] = replace(run, state="Failed" if name in self.bad else "Succeeded")

    def forget(self) -> None:
        """Lose what is only in memory, as in a crash."""
        self.done.clear()
        self.valid.clear()
        self.valid_hooks.clear()
        self.stage = None

    def _note(self, what: str, keys: list[Key]) -> None:
        self.log.append((what, [key.name for key in keys]))

    def did(self, *what: str) -> list[list[str]]:
        return [names for verb, names in self.log if verb in what]


def failed_with(cluster: Cluster) -> str:
    finished = cluster.run()
    assert isinstance(finished, Finished)
    assert not finished.succeeded
    return finished.message


def awaits(cluster: Cluster) -> str:
    step = cluster.run()
    assert isinstance(step, Await), step
    return step.reason


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


def crd_and_widget() -> tuple[Entry, Entry]:
    definition = entry("CustomResourceDefinition", "widgets.example.com")
    return definition, entry("Widget", "w", needs=(definition.key,))


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


KINDS = st.sampled_from(["Namespace", "ConfigMap", "Service", "Deployment", "Widget"])
ENTRIES = st.lists(
    st.builds(entry, KINDS, st.sampled_from("abcdefgh"), st.integers(-2, 2)),
    max_size=8,
    unique_by=lambda entry: entry.key,
)
PHASES = st.sampled_from(["PreSync", "Sync", "PostSync", "SyncFail"])
HOOKS = st.lists(
    st.builds(hook, PHASES, st.sampled_from("klmnop"), st.integers(-2, 2)),
    max_size=5,
    unique_by=lambda hook: hook.key,
)
POLICIES = st.sets(st.sampled_from(["BeforeHookCreation", "HookSucceeded", "HookFailed"]), min_size=1)


class Syncing(RuleBasedStateMachine):
    """A sync on a cluster where hooks end as they like, and an agent that dies at any instant: what is only in
    its memory is lost, what it wrote down and what is on the cluster is not.
    """

    @initialize(
        entries=ENTRIES, hooks=HOOKS, policies=POLICIES, bad=st.sets(st.sampled_from("klmnop"), max_size=2)
    )
    def begin(self, entries: list[Entry], hooks: list[Hook], policies: set[str], bad: set[str]) -> None:
        hooks = [replace(one, policies=frozenset(policies)) for one in hooks]
        names = {one.key.name for one in hooks}
        self.cluster = Cluster(entries, hooks=hooks, running=set(names), bad=bad & names)
        self.applied: list[Key] = []
        self.begun: list[str] = []
        self.finished: Finished | None = None

    @rule()
    def go_on(self) -> None:
        if self.finished:
            return
        step = next_step(self.cluster.facts())
        if isinstance(step, Finished):
            self.finished = step
        elif isinstance(step, Await):
            assert set(step.keys) & self.hanging(), "what is awaited can't happen"
        else:
            if isinstance(step, Apply):
                self.applied += [one.key for one in step.entries]
            if isinstance(step, RunHooks):
                self.check_order(step)
                self.begun += [one.id for one in step.hooks]
            self.cluster.carry_out(step)

    @rule()
    def agent_dies(self) -> None:
        self.cluster.forget()

    @rule(data=st.data())
    def a_hook_ends(self, data: st.DataObject) -> None:
        waiting = sorted(key.name for key in self.hanging())
        if waiting:
            self.cluster.ends(data.draw(st.sampled_from(waiting)))

    def hanging(self) -> set[Key]:
        return {run.key for run in self.cluster.runs.values() if run.state == "Running"}

    def check_order(self, step: RunHooks) -> None:
        """A phase begins when everything of the phases before it is there and has succeeded."""
        for one in step.hooks:
            before = [other for other in self.cluster.hooks if other.phase == "PreSync"]
            if one.phase in ("Sync", "PostSync"):
                assert all(self.cluster.runs[other.id].state == "Succeeded" for other in before)
            if one.phase == "PostSync":
                assert {entry.key for entry in self.cluster.entries} <= self.cluster.live
            if one.phase == "SyncFail":
                assert self.cluster.failure

    @invariant()
    def no_hook_runs_twice_and_no_object_is_applied_twice(self) -> None:
        assert len(self.begun) == len(set(self.begun))
        assert len(self.applied) == len(set(self.applied))

    @invariant()
    def nothing_is_done_before_its_place(self) -> None:
        places = {entry.key: entry.place[:3] for entry in self.cluster.entries}
        assert [places[key] for key in self.applied] == sorted(places[key] for key in self.applied)

    @invariant()
    def what_has_finished_is_finished_rightly(self) -> None:
        if self.finished is None:
            return
        failed = {run.key.name for run in self.cluster.runs.values() if run.state == "Failed"}
        assert self.finished.succeeded == (not failed)
        assert not self.hanging()
        if self.finished.succeeded:
            assert sorted(self.applied) == sorted(entry.key for entry in self.cluster.entries)
            assert {run.key.name for run in self.cluster.runs.values()} == {
                one.key.name for one in self.cluster.hooks if one.phase != "SyncFail"
            }
        policy = "HookSucceeded" if self.finished.succeeded else "HookFailed"
        for one in self.cluster.hooks:
            if one.id in self.cluster.runs:
                assert self.cluster.runs[one.id].cleaned == (policy in one.policies)


Syncing.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestSyncing = Syncing.TestCase
