"""Hooks: what they are, what they are called in one sync, and how one has ended. Pure.

A hook runs once in a sync. Its name in that sync is fixed before it is created, for one with `generateName`
too, and the created object carries the sync's mark: after a crash the second attempt finds its own object
instead of making another.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from edge_agent.cluster.names import Key, Kind, Object, key_of, kind_of
from edge_agent.health import DEGRADED, HEALTHY, UNKNOWN, Health
from edge_agent.sync import options, order
from outrider.manifests import phases

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.sync.options import Options
    from outrider.manifests.phases import Phase

DELETE_POLICY = "argocd.argoproj.io/hook-delete-policy"
HELM_DELETE_POLICY = "helm.sh/hook-delete-policy"
# On each created hook: which sync, and which phase of it, it was created for.
MARK = "outrider.dev/hook-of"

BEFORE_CREATION = "BeforeHookCreation"
SUCCEEDED = "HookSucceeded"
FAILED = "HookFailed"
_POLICIES = frozenset({BEFORE_CREATION, SUCCEEDED, FAILED})
_OF_HELM = {
    "before-hook-creation": BEFORE_CREATION,
    "hook-succeeded": SUCCEEDED,
    "hook-failed": FAILED,
}
# Kubernetes' limit for the names of what Jobs and Pods make is 63 characters; ten of them are the digest.
_PREFIX_LIMIT = 53
_DIGEST_DIGITS = 10

RunState = Literal["Clearing", "Creating", "Running", "Succeeded", "Failed"]
"""`Clearing`: its forerunner is being deleted; `Creating`: it may exist or not, nobody saw the answer."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook in one of its phases; its manifest isn't in memory. `key.name` is empty for `generateName`."""

    id: str
    """Tells it from every other of its bundle; the same as long as the bundle names it the same way."""
    key: Key
    kind: Kind
    phase: Phase
    wave: int = 0
    generate_name: str = ""
    policies: frozenset[str] = frozenset({BEFORE_CREATION})
    options: Options = field(default_factory=dict)
    needs: tuple[Key, ...] = ()

    @property
    def place(self) -> tuple[int, int, int, str, str]:
        """Where the hook stands in the order of a sync."""
        return (
            phases.place(self.phase),
            self.wave,
            order.rank(self.key.kind),
            self.key.name or self.generate_name,
            self.key.namespace,
        )

    def key_in(self, sync: str) -> Key:
        """Return which object the hook is in a sync."""
        if self.key.name:
            return self.key
        digest = hashlib.sha256(f"{sync}/{self.id}".encode()).hexdigest()[:_DIGEST_DIGITS]
        return self.key._replace(name=f"{self.generate_name[:_PREFIX_LIMIT]}{digest}")

    def mark_in(self, sync: str) -> str:
        """Return the mark that its object carries in a sync."""
        return f"{sync}.{self.phase}"


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a hook in the sync under way. `uid` is empty until its creation was answered."""

    key: Key
    kind: Kind
    state: RunState
    uid: str = ""
    message: str = ""
    cleaned: bool = False
    """Whether its object was deleted, as its delete policy says."""

    @property
    def over(self) -> bool:
        """Say whether it has ended."""
        return self.state in ("Succeeded", "Failed")

    def judged(self, outcome: Health | None) -> Run:
        """Return what is known of it, given its object's health: what has none is done by being there."""
        if outcome is None or outcome.status == HEALTHY:
            return replace(self, state="Succeeded", message=outcome.message if outcome else "created")
        if outcome.status in (DEGRADED, UNKNOWN):
            return replace(self, state="Failed", message=outcome.message or f"is {outcome.status}")
        return replace(self, message=outcome.message)


def hook_of(
    manifest: Object, key: Key, kind: Kind, phase: Phase, number: int = 0, needs: tuple[Key, ...] = ()
) -> Hook:
    """Return a manifest's hook in one of its phases; `number` tells apart those of one generated name."""
    generate_name = "" if key.name else str(manifest["metadata"].get("generateName") or "")
    return Hook(
        id=f"{phase} {key}{generate_name}#{number}" if generate_name else f"{phase} {key}",
        key=key,
        kind=kind,
        phase=phase,
        wave=order.wave(manifest),
        generate_name=generate_name,
        policies=policies_of(manifest),
        options=options.of_object(manifest),
        needs=needs,
    )


def restored(hook: str, manifest: Object) -> Hook:
    """Return a hook from its id and its manifest, placed as that is."""
    phase = next(phase for phase in phases.ALL if hook.startswith(f"{phase} "))
    _, _, number = hook.rpartition("#")
    found = hook_of(manifest, key_of(manifest), kind_of(manifest), phase)
    if found.key.name:
        return found
    return hook_of(manifest, found.key, found.kind, phase, int(number))


def policies_of(manifest: Mapping[str, Any]) -> frozenset[str]:
    """Return when a hook's object is deleted: `BeforeHookCreation` where nothing else is said."""
    annotations = (manifest.get("metadata") or {}).get("annotations") or {}
    found = {word for word in phases.words(annotations.get(DELETE_POLICY)) if word in _POLICIES}
    found |= {
        _OF_HELM[word] for word in phases.words(annotations.get(HELM_DELETE_POLICY)) if word in _OF_HELM
    }
    return frozenset(found or {BEFORE_CREATION})


def marked(manifest: Object, key: Key, mark: str) -> Object:
    """Return a hook's manifest under its name, with the mark of its sync; the given one is left as it is."""
    metadata = {name: value for name, value in manifest["metadata"].items() if name != "generateName"}
    annotations = {**(metadata.get("annotations") or {}), MARK: mark}
    return {**manifest, "metadata": {**metadata, "name": key.name, "annotations": annotations}}


def mark_of(live: Mapping[str, Any]) -> str:
    """Return the mark that a live object carries."""
    return str(((live.get("metadata") or {}).get("annotations") or {}).get(MARK) or "")
