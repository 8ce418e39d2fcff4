"""Steps of a sync and of a removal: delete what is no longer wanted, if it still is the application's."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from edge_agent.cluster import ClusterError, Conflict, NotFound, Transient, UnknownKind
from edge_agent.sync import Doomed, Result, tracked_to

if TYPE_CHECKING:
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.applications.sync_context import SyncContext

# Attempts to delete an object that changes while it is being deleted.
_ATTEMPTS = 3


async def prune(found: Doomed, context: SyncContext) -> None:
    """Prune an object; one that another application on this cluster wants stays."""
    done, around = context.running.done, context.around
    if context.running.dry_run:
        done[found.key] = Result(found.key, found.kind, "Pruned", "would be pruned (dry run)")
        return
    if around.desired_elsewhere(found.key, context.state.app):
        done[found.key] = Result(found.key, found.kind, "PruneSkipped", "left: another application wants it")
        return
    propagation = context.options.get("PrunePropagationPolicy", "foreground").capitalize()
    try:
        await delete(found, context.state.app, around, propagation)
    except Transient:
        raise
    except ClusterError as error:
        done[found.key] = Result(found.key, found.kind, "SyncFailed", error.why)
        return
    done[found.key] = Result(found.key, found.kind, "Pruned", "pruned")


async def delete(found: Doomed, app: str, around: Surroundings, propagation: str) -> None:
    """Delete an object if it still is the application's. Raises `ClusterError`; one that is gone is no
    error.
    """
    version = found.resource_version
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            await around.cluster.delete(
                found.kind, found.key, uid=found.uid, resource_version=version, propagation=propagation
            )
        except (NotFound, UnknownKind):
            around.inventory.lose(found.key, version)
            return
        except Conflict:
            if attempt == _ATTEMPTS:
                raise
            with contextlib.suppress(NotFound):
                live = await around.cluster.get(found.kind, found.key)
                if tracked_to(live) != app or live["metadata"].get("uid") != found.uid:
                    around.inventory.observe(live)
                    return
                version = live["metadata"]["resourceVersion"]
        else:
            return
