"""From a bundle's manifests to what is wanted on this cluster: named, placed, tracked, in order. Pure.

What differs per cluster and application (destination namespace, tracking) is added here, so that a thousand
clusters share one bundle. A manifest that can't be anything (no kind, no name, a hook that doesn't exist) is a
problem with a name, and keeps no other object from being prepared.

Hooks are kept apart from the objects: they are run, not kept in sync.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.cluster.names import Key, Kind, Object, kind_of
from edge_agent.diff.ignore import ignored
from edge_agent.diff.owned import digest
from edge_agent.sync import options, order
from edge_agent.sync.hooks import Hook, hook_of
from outrider.manifests import phases, tracking
from outrider.manifests.names import flat
from outrider.manifests.phases import Phase, UnknownHook
from outrider.manifests.placing import Place, Scope

if TYPE_CHECKING:
    from edge_agent.sync.options import Options
    from edge_agent.sync.policy import Policy


@dataclass(frozen=True, slots=True)
class Entry:
    """What is remembered of a desired object while its manifest isn't in memory."""

    key: Key
    kind: Kind
    digest: bytes
    wave: int = 0
    options: Options = field(default_factory=dict)
    needs: tuple[Key, ...] = ()
    """Objects of the same application that must be there first: its namespace, its definition."""
    phase: Phase = phases.SYNC
    """`PreSync` for what a hook of that phase needs."""

    @property
    def place(self) -> tuple[int, int, int, str, str]:
        """Where the object stands in the order of a sync."""
        return (
            phases.place(self.phase),
            self.wave,
            order.rank(self.key.kind),
            self.key.name,
            self.key.namespace,
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """A manifest that is no object; `kind` and `key` hold what could be read of it, `what` names it."""

    kind: Kind
    key: Key
    what: str
    message: str

    def __str__(self) -> str:
        return f"{self.what}: {self.message}"


@dataclass(frozen=True, slots=True)
class Prepared:
    """An application's desired objects and hooks, in order; `manifests` by key and `hook_manifests` by hook
    id, ready to be applied.
    """

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    repeated: tuple[Key, ...]
    manifests: Mapping[Key, Object]
    hooks: tuple[Hook, ...] = ()
    hook_manifests: Mapping[str, Object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Found:
    """One manifest, read: an object, or a hook where `phases` are given."""

    key: Key
    kind: Kind
    manifest: Object
    phases: tuple[Phase, ...] | None

    @property
    def identity(self) -> tuple[Key, str]:
        """Tells the object from every other; one with a generated name is known by what begins the name."""
        return self.key, "" if self.key.name else str(self.manifest["metadata"]["generateName"])


def prepare(app: str, manifests: Iterable[Object], policy: Policy, scope: Scope) -> Prepared:
    """Prepare an application's manifests as its policy says. Of the same object twice the later one
    counts.
    """
    whole = list(flat(manifests))
    place = Place.of(policy.namespace, scope, whole)
    problems: list[Problem] = []
    repeated: dict[Key, None] = {}
    found: dict[tuple[Key, str, int], _Found] = {}
    generated: dict[tuple[Key, str], int] = {}
    for position, manifest in enumerate(whole):
        problem, read = _read(position, manifest, app, place)
        if problem:
            problems.append(problem)
        if read is None:
            continue
        if read.key.name and (*read.identity, 0) in found:
            repeated[read.key] = None
        number = 0 if read.key.name else generated.get(read.identity, 0)
        generated[read.identity] = number + 1
        found[*read.identity, number] = read
    objects = {read.key: read for read in found.values() if read.phases is None}
    hooks, ready = _hooks(found, objects, place)
    entries = _entries(objects, hooks, place, policy)
    return Prepared(
        entries,
        tuple(problems),
        tuple(repeated),
        {key: read.manifest for key, read in objects.items()},
        hooks,
        ready,
    )


def kinds_in(manifests: Iterable[Object]) -> set[Kind]:
    """Return the kinds that are spoken of, for the caller to learn their scope."""
    return {kind for manifest in flat(manifests) if (kind := kind_of(manifest)).kind and kind.version}


def _read(position: int, manifest: Object, app: str, place: Place) -> tuple[Problem | None, _Found | None]:
    """Return what is wrong with a manifest, or what it is; neither for one that is skipped."""
    kind, metadata = kind_of(manifest), manifest.get("metadata")
    message = _fault(kind, metadata)
    if not message and metadata:
        try:
            named = phases.phases_of(manifest)
        except UnknownHook as error:
            message = str(error)
        else:
            if named == ():
                return None, None
            message = _nameless(metadata, hook=named is not None)
            if not message:
                key, placed = place.put(manifest, kind)
                return None, _Found(key, kind, tracking.tracked(placed, app, key), named)
    return _problem(position, kind, metadata, message), None


def _problem(position: int, kind: Kind, metadata: object, message: str) -> Problem:
    held = metadata if isinstance(metadata, Mapping) else {}
    name = str(held.get("name") or held.get("generateName") or "")
    what = f"{kind.kind or 'object'} {name or f'number {position + 1} of the bundle'}"
    key = Key(kind.group, kind.kind, str(held.get("namespace") or ""), str(held.get("name") or ""))
    return Problem(kind, key, what, message)


def _fault(kind: Kind, metadata: object) -> str:
    if not kind.version:
        return "apiVersion is missing"
    if not kind.kind:
        return "kind is missing"
    if not isinstance(metadata, Mapping) or not metadata:
        return "metadata.name is missing"
    for part in ("annotations", "labels"):
        if not isinstance(metadata.get(part), Mapping | None):
            return f"metadata.{part} must be a map"
    return ""


def _nameless(metadata: Mapping[str, object], *, hook: bool) -> str:
    if metadata.get("name") or (hook and metadata.get("generateName")):
        return ""
    if metadata.get("generateName"):
        return "metadata.name is missing; metadata.generateName is for hooks alone"
    return "metadata.name is missing"


def _hooks(
    found: Mapping[tuple[Key, str, int], _Found], objects: Mapping[Key, _Found], place: Place
) -> tuple[tuple[Hook, ...], dict[str, Object]]:
    """Return the hooks, one for each phase of each, and their manifests."""
    hooks, ready = [], {}
    for (key, _, number), read in found.items():
        for phase in read.phases or ():
            needs = tuple(place.needs(key, objects))
            hook = hook_of(read.manifest, key, read.kind, phase, number, needs)
            hooks.append(hook)
            ready[hook.id] = read.manifest
    return tuple(sorted(hooks, key=lambda hook: hook.place)), ready


def _entries(
    objects: Mapping[Key, _Found], hooks: Iterable[Hook], place: Place, policy: Policy
) -> tuple[Entry, ...]:
    needs = {key: tuple(place.needs(key, objects)) for key in objects}
    stages = {key: (phases.place(phases.SYNC), order.wave(read.manifest)) for key, read in objects.items()}
    # What others need comes no later than the first of them; what a hook needs, no later than the hook.
    users = [(stages[key], needed) for key, needed in needs.items()]
    for stage, needed in [*users, *(((phases.place(hook.phase), hook.wave), hook.needs) for hook in hooks)]:
        for before in needed:
            stages[before] = min(stages[before], stage)
    entries = [
        Entry(
            key,
            read.kind,
            _digest(key, read.manifest, policy),
            stages[key][1],
            options.of_object(read.manifest),
            needs[key],
            phases.PRE_SYNC if stages[key][0] < phases.place(phases.SYNC) else phases.SYNC,
        )
        for key, read in objects.items()
    ]
    return tuple(sorted(entries, key=lambda entry: entry.place))


def _digest(key: Key, manifest: Object, policy: Policy) -> bytes:
    """What is ignored of an object is a part of what is desired of it: another rule, another comparison."""
    pointers = ignored(policy.ignore, key)
    return digest([manifest, pointers]) if pointers else digest(manifest)
