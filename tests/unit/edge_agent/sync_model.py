"""A sync on a cluster that is a few dictionaries, which do what they are told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from edge_agent.cluster import Key, Kind
from edge_agent.health import HEALTHY, MISSING, Health
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
    from outrider.manifests.phases import Phase

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


def crd_and_widget() -> tuple[Entry, Entry]:
    definition = entry("CustomResourceDefinition", "widgets.example.com")
    return definition, entry("Widget", "w", needs=(definition.key,))
