"""What is live: of every labelled object of the kinds in use, what decides, and not the object.

Fed by watches and by the answers to the agent's own applies, in whatever order they come: a state older than
the one held is ignored (resource versions are compared as numbers, as KEP-5504 allows). Who needs to know is
told which object changed, only when something that decides did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edge_agent.cluster import FIELD_MANAGER, Key, Kind, key_of, kind_of
from edge_agent.diff import LiveState, state_of
from edge_agent.diff.compare_options import is_extraneous
from edge_agent.health import MISSING, UNKNOWN, Checks, Health
from edge_agent.sync import claimed_by, is_hook, order, tracked_to
from edge_agent.sync import options as sync_options

# Objects that went and are remembered: an answer that was on its way must not bring one back, and a sync asks in
# its next pass how a hook ended.
LOST_MAX = 256

IGNORE_HEALTH = "argocd.argoproj.io/ignore-healthcheck"


@dataclass(slots=True, eq=False)
class Live:
    """What is kept of one live object."""

    key: Key
    kind: Kind
    uid: str
    resource_version: str
    tracked: str | None
    """The application whose object it is: label and annotation agree."""
    claimed: str | None
    """The application that it names, even if they don't."""
    state: LiveState
    health: Health | None
    counts: bool
    """Whether its health counts for the application's."""
    deleting: bool
    images: tuple[str, ...]
    options: sync_options.Options
    wave: int
    extraneous: bool = False
    """Whether it asks not to count once it isn't desired any more."""
    hook: bool = False
    """Whether it is a hook: run, and never kept in sync or pruned."""
    outcome: Health | None = None
    """A hook's health, even while it is being deleted: how it ended."""
    judged_by: Checks | None = None

    def decides(self) -> tuple[object, ...]:
        """Return what, when it changes, an application wants to know."""
        return (
            self.uid,
            self.claimed,
            self.tracked,
            self.state,
            self.health,
            self.counts,
            self.deleting,
            self.images,
            self.extraneous,
            self.outcome,
        )


def live_of(found: Mapping[str, Any], checks: Checks) -> Live:
    """Take from an object what is kept of it."""
    key, metadata, hook = key_of(found), found["metadata"], is_hook(found)
    health, deleting = checks.check(key.group, key.kind, found), bool(metadata.get("deletionTimestamp"))
    return Live(
        key=key,
        kind=kind_of(found),
        uid=str(metadata.get("uid") or ""),
        resource_version=str(metadata.get("resourceVersion") or ""),
        tracked=tracked_to(found),
        claimed=claimed_by(found),
        state=state_of(found, FIELD_MANAGER),
        health=health,
        counts=_counts(key, metadata.get("annotations") or {}, health),
        deleting=deleting,
        images=tuple(sorted(set(images_of(found)))),
        options=sync_options.of_object(found),
        wave=order.wave(found),
        extraneous=is_extraneous(found),
        hook=hook,
        outcome=(_outcome(key, found, checks) if deleting else health) if hook else None,
        judged_by=checks,
    )


def _counts(key: Key, annotations: Mapping[str, Any], health: Health | None) -> bool:
    if annotations.get(IGNORE_HEALTH) == "true":
        return False
    # An application that is an object of another one says nothing of it until it is judged itself.
    child = (key.group, key.kind) == ("argoproj.io", "Application")
    return not (child and health is not None and health.status in (MISSING, UNKNOWN))


def _outcome(key: Key, found: Mapping[str, Any], checks: Checks) -> Health | None:
    metadata = {name: value for name, value in found["metadata"].items() if name != "deletionTimestamp"}
    return checks.check(key.group, key.kind, {**found, "metadata": metadata})


def images_of(found: Mapping[str, Any]) -> Iterable[str]:
    """Yield the images of a Pod, or of what makes Pods."""
    spec = found.get("spec")
    if not isinstance(spec, Mapping):
        return
    template = spec.get("template")
    pod = (template.get("spec") if isinstance(template, Mapping) else None) or spec
    for part in ("initContainers", "containers"):
        containers = pod.get(part) if isinstance(pod, Mapping) else None
        for container in containers if isinstance(containers, list) else ():
            if isinstance(container, Mapping) and container.get("image"):
                yield str(container["image"])


class Inventory:
    """All that is known to live, by kind and key."""

    def __init__(self, changed: Callable[[Key, set[str]], None]) -> None:
        """`changed` is told an object and the applications that it names or named."""
        self._changed = changed
        self._kinds: dict[tuple[str, str], dict[Key, Live]] = {}
        self._lost: dict[str, tuple[str, Health | None]] = {}
        """By uid: the version at which it went, and a hook's last health."""
        self.checks = Checks()
        """By which objects are judged from here on; what is held was judged by those before."""

    def get(self, key: Key) -> Live | None:
        """Return what is known of an object; None: not there, or not labelled."""
        return self._kinds.get((key.group, key.kind), {}).get(key)

    def tracked(self, app: str) -> list[Live]:
        """Return an application's objects."""
        return [live for held in self._kinds.values() for live in held.values() if live.tracked == app]

    def ended(self, uid: str) -> tuple[bool, Health | None]:
        """Say whether a hook with this uid was seen and is gone, and how it stood when it was seen last."""
        return uid in self._lost, self._lost.get(uid, ("", None))[1]

    def of_kind(self, group: str, kind: str) -> dict[Key, Live]:
        """Return what is known of a kind."""
        return self._kinds.get((group, kind), {})

    def observe(self, found: Mapping[str, Any]) -> Live:
        """Take in an object's state; return what is held of it then, which is newer if that one was known
        already.
        """
        key, metadata = key_of(found), found["metadata"]
        held = self._kinds.setdefault((key.group, key.kind), {})
        before = held.get(key)
        if (
            before is not None
            and before.uid == str(metadata.get("uid") or "")
            and self._is_known(before, str(metadata.get("resourceVersion") or ""), found)
        ):
            return before
        live = live_of(found, self.checks)
        if older(live.resource_version, self._lost.get(live.uid, ("", None))[0]):
            return live
        held[live.key] = live
        if before is None or before.decides() != live.decides():
            self._tell(live.key, before, live)
        return live

    def _is_known(self, before: Live, version: str, found: Mapping[str, Any]) -> bool:
        """Say whether a state is older than the one held, or the same: as an apply's answer is when the
        watch tells of it again.
        """
        same = version != "" and version == before.resource_version
        return older(version, before.resource_version) or (
            same and before.judged_by is self.checks and before.kind == kind_of(found)
        )

    def lose(self, key: Key, resource_version: str) -> None:
        """Take in that an object went, or lost the label, at a version; a newer state stays."""
        held = self._kinds.get((key.group, key.kind), {})
        before = held.get(key)
        if before is None or older(resource_version, before.resource_version):
            return
        del held[key]
        self._lost[before.uid] = resource_version, before.outcome
        while len(self._lost) > LOST_MAX:
            del self._lost[next(iter(self._lost))]
        self._tell(key, before, None)

    def drop(self, group: str, kind: str) -> None:
        """Forget a kind that is no longer in use."""
        self._kinds.pop((group, kind), None)

    def _tell(self, key: Key, before: Live | None, after: Live | None) -> None:
        named = {live.claimed for live in (before, after) if live is not None}
        self._changed(key, {app for app in named if app})


def older(version: str, than: str) -> bool:
    """Say whether one resource version is before another; versions that are no numbers are never older."""
    return version.isdigit() and than.isdigit() and int(version) < int(than)
