"""Whatever hooks do and whenever the agent dies, a sync keeps its promises."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.unit.edge_agent.sync_model import (
    Cluster,
    entry,
    hook,
)

from edge_agent.sync import (
    Apply,
    Await,
    Entry,
    Finished,
    Hook,
    RunHooks,
    next_step,
)

if TYPE_CHECKING:
    from edge_agent.cluster import Key

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
