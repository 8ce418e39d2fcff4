"""What a sync does next. The cluster here is a few dictionaries that do what they are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.cluster import Key, Kind
from edge_agent.health import DEGRADED, HEALTHY, MISSING, PROGRESSING, Health
from edge_agent.sync import (
    Apply,
    Await,
    Doomed,
    Entry,
    Facts,
    Finished,
    Prune,
    Result,
    Step,
    Validate,
    next_step,
)

GROUPS = {"Deployment": "apps", "CustomResourceDefinition": "apiextensions.k8s.io", "Widget": "example.com"}


def key(kind: str, name: str) -> Key:
    return Key(GROUPS.get(kind, ""), kind, "shop", name)


def entry(kind: str, name: str, wave: int = 0, needs: tuple[Key, ...] = ()) -> Entry:
    return Entry(key(kind, name), Kind(GROUPS.get(kind, ""), "v1", kind), b"digest", wave, needs=needs)


def doomed(kind: str, name: str, wave: int = 0) -> Doomed:
    return Doomed(key(kind, name), Kind(GROUPS.get(kind, ""), "v1", kind), "uid", "1", wave)


@dataclass
class Cluster:
    """Carries steps out and remembers them."""

    entries: list[Entry]
    live: set[Key] = field(default_factory=set)
    invalid: set[Key] = field(default_factory=set)
    failing: set[Key] = field(default_factory=set)
    health: dict[Key, Health] = field(default_factory=dict)
    doomed: list[Doomed] = field(default_factory=list)
    refused: tuple[Result, ...] = ()
    done: dict[Key, Result] = field(default_factory=dict)
    valid: set[Key] = field(default_factory=set)
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
            refused=self.refused,
        )

    def run(self) -> Step:
        while True:
            step = next_step(self.facts())
            match step:
                case Validate(entries):
                    self._note("validate", [entry.key for entry in entries])
                    self.valid |= {entry.key for entry in entries} - self.invalid
                    for entry in entries:
                        if entry.key in self.invalid:
                            self.done[entry.key] = Result(
                                entry.key, entry.kind, "SyncFailed", "spec.x: wrong"
                            )
                case Apply(entries):
                    self._note("apply", [entry.key for entry in entries])
                    for entry in entries:
                        bad = entry.key in self.failing
                        self.done[entry.key] = Result(
                            entry.key, entry.kind, "SyncFailed" if bad else "Synced"
                        )
                        self.live |= set() if bad else {entry.key}
                case Prune(going):
                    self._note("prune", [found.key for found in going])
                    for found in going:
                        self.done[found.key] = Result(found.key, found.kind, "Pruned")
                case Await() | Finished():
                    return step

    def _note(self, what: str, keys: list[Key]) -> None:
        self.log.append((what, [key.name for key in keys]))

    def did(self, what: str) -> list[list[str]]:
        return [names for verb, names in self.log if verb == what]


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


def test_pruning_comes_last_and_goes_backwards() -> None:
    cluster = Cluster(
        [entry("ConfigMap", "wanted")],
        doomed=[
            doomed("ConfigMap", "c"),
            doomed("Deployment", "d"),
            doomed("Deployment", "early", -1),
            doomed("Pod", "p", 3),
        ],
    )
    cluster.run()
    assert [names for verb, names in cluster.log if verb in ("apply", "prune")] == [
        ["wanted"],
        ["p"],
        ["d"],
        ["c"],
        ["early"],
    ]


def test_nothing_is_pruned_when_an_apply_failed() -> None:
    cluster = Cluster(
        [entry("ConfigMap", "a")], failing={key("ConfigMap", "a")}, doomed=[doomed("Deployment", "old")]
    )
    cluster.run()
    assert cluster.did("prune") == []


KINDS = st.sampled_from(["Namespace", "ConfigMap", "Service", "Deployment", "Widget"])
ENTRIES = st.lists(
    st.builds(entry, KINDS, st.sampled_from("abcdefgh"), st.integers(-2, 2)),
    max_size=12,
    unique_by=lambda entry: entry.key,
)


@given(ENTRIES, st.integers(0, 200), st.data())
def test_a_sync_cut_off_anywhere_goes_on_and_applies_each_object_once(
    entries: list[Entry], cut_after: int, data: st.DataObject
) -> None:
    """The machine's own state (outcomes, validity) is lost at the cut, as in a crash; the cluster's is not."""
    cluster = Cluster(entries)
    applied: list[Key] = []
    steps = 0
    while not isinstance(step := next_step(cluster.facts()), Finished):
        steps += 1
        assert steps < 500
        if isinstance(step, Apply) and steps > cut_after:
            cut_after = 10_000
            cluster.done.clear()
            cluster.valid.clear()
            continue
        cluster_step(cluster, step, applied)
    assert step.succeeded
    assert sorted(applied) == sorted(entry.key for entry in entries)
    places = {entry.key: entry.place[:2] for entry in entries}
    assert [places[key] for key in applied] == sorted(places[key] for key in applied)


def cluster_step(cluster: Cluster, step: Any, applied: list[Key]) -> None:
    if isinstance(step, Validate):
        cluster.valid |= {entry.key for entry in step.entries}
    else:
        assert isinstance(step, Apply)
        for one in step.entries:
            applied.append(one.key)
            cluster.live.add(one.key)
            cluster.done[one.key] = Result(one.key, one.kind, "Synced")
