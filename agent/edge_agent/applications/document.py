"""The last step of a pass: the status document, in the shape of Argo CD's `Application.status`.

A function of the state: the same state gives the same document, sorted, with no time that moves without
cause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.applications.compare import in_sync, shared
from edge_agent.health import MISSING, UNKNOWN, Health, application_health

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.applications.inventory import Live
    from edge_agent.applications.state import Index, State
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.cluster import Key, Kind
    from edge_agent.sync import Entry


def report(state: State, index: Index | None, around: Surroundings, *, blind: bool = False) -> None:
    """Make the status document; tell it if it is another one."""
    found = document(state, index, around, blind=blind)
    if found != state.document:
        state.document = found
        around.on_status(state.app, found)


def document(state: State, index: Index | None, around: Surroundings, *, blind: bool) -> dict[str, Any]:
    """Return an application's status; `blind`: the cluster can't be asked, what is known of it is too old
    to stand for now.
    """
    entries = index.entries if index else {}
    extra = {
        live.key: live
        for live in around.inventory.tracked(state.app)
        # Hooks come and go with syncs: they count neither for the status nor for health.
        if live.key not in entries and not live.hook
    }
    wanted = [_wanted(entry, state, around) for entry in entries.values()]
    resources = [*wanted, *(_unwanted(live) for live in extra.values())]
    counted = [*wanted, *(_unwanted(live) for live in extra.values() if not live.extraneous)]
    # Without its bundle nothing is known of what should be there.
    lost = state.errors.get("BundleError", "") if index is None else ""
    if blind or lost:
        health = Health(UNKNOWN, lost or "the Kubernetes API can't be asked")
    else:
        health = _health(entries.values(), extra.values(), around)
    found: dict[str, Any] = {
        "sync": {
            "status": UNKNOWN if blind or lost else _sync_status(state, index, counted),
            **_revision(state),
        },
        "health": _health_value(health),
        "conditions": _conditions(state, entries.values(), index, around),
        "resources": sorted(resources, key=_place),
        "summary": {"images": _images(entries, extra.values(), around)},
    }
    if state.progress and state.progress.operation:
        found["operationState"] = state.progress.operation
    if state.progress and state.progress.history:
        found["history"] = [entry.document() for entry in state.progress.history]
    return found


def _revision(state: State) -> dict[str, Any]:
    """Return the desired revision; of several sources, each one's too; and the generation of what is rendered here."""
    desired = state.desired
    revision = desired.revision if desired else ""
    found: dict[str, Any] = {"revision": revision}
    if "," in revision:
        found["revisions"] = revision.split(",")
    if desired is not None and desired.is_rendered_here:
        found["generation"] = list(desired.generation)
    return found


def _sync_status(state: State, index: Index | None, resources: list[dict[str, Any]]) -> str:
    statuses = {resource["status"] for resource in resources}
    if UNKNOWN in statuses or "UnknownError" in state.errors:
        return UNKNOWN
    return "OutOfSync" if "OutOfSync" in statuses or (index and index.problems) or state.removal else "Synced"


def _wanted(entry: Entry, state: State, around: Surroundings) -> dict[str, Any]:
    live = around.inventory.get(entry.key)
    if entry.key in state.unseen:
        status = UNKNOWN
    else:
        status = "Synced" if in_sync(entry, state, around) else "OutOfSync"
    resource = _resource(entry.key, entry.kind, status)
    health = live.health if live else Health(UNKNOWN if entry.key in state.unseen else MISSING)
    if health:
        resource["health"] = _health_value(health)
    return resource


def _unwanted(live: Live) -> dict[str, Any]:
    resource = _resource(live.key, live.kind, "OutOfSync")
    if live.health:
        resource["health"] = _health_value(live.health)
    resource["requiresPruning"] = True
    return resource


def _resource(key: Key, kind: Kind, status: str) -> dict[str, Any]:
    return {
        "group": key.group,
        "version": kind.version,
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
        "status": status,
    }


def _place(resource: dict[str, Any]) -> tuple[str, ...]:
    return resource["group"], resource["kind"], resource["namespace"], resource["name"]


def _health(entries: Iterable[Entry], extra: Iterable[Live], around: Surroundings) -> Health:
    wanted = [around.inventory.get(entry.key) for entry in entries]
    return application_health(
        (live is not None, live.health if live and live.counts else None) for live in (*wanted, *extra)
    )


def _health_value(health: Health) -> dict[str, str]:
    return (
        {"status": health.status, "message": health.message} if health.message else {"status": health.status}
    )


def _conditions(
    state: State, entries: Iterable[Entry], index: Index | None, around: Surroundings
) -> list[dict[str, str]]:
    found = set(state.errors.items()) | set(state.desired.conditions if state.desired else ())
    for entry in entries:
        other = shared(entry, state, around)
        if other:
            found.add(
                ("SharedResourceWarning", f"{entry.key} is part of applications {state.app} and {other}")
            )
        if entry.key in state.unseen:
            found.add(("ComparisonError", state.unseen[entry.key]))
    for problem in index.problems if index else ():
        found.add(("ComparisonError", str(problem)))
    for key in index.repeated if index else ():
        found.add(("RepeatedResourceWarning", f"{key} is in the bundle more than once; the last one counts"))
    return [{"type": kind, "message": message} for kind, message in sorted(found)]


def _images(entries: Iterable[Key], extra: Iterable[Live], around: Surroundings) -> list[str]:
    lives = [*(around.inventory.get(key) for key in entries), *extra]
    return sorted({image for live in lives if live for image in live.images})
