"""What an apply would make of a live object: the dry run of the way in which the object is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.sync import options
from edge_agent.sync.three_way import last_applied, leftovers, three_way

if TYPE_CHECKING:
    from edge_agent.applications.state import State
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.cluster import Object
    from edge_agent.sync import Entry


async def would_be(
    entry: Entry, manifest: Object, live: Object, state: State, around: Surroundings
) -> Object:
    """Return the object as it would be. Raises `ClusterError`."""
    cluster, strict = around.cluster, _on("Validate", entry, state, default=True)
    if _on("Replace", entry, state):
        version = {"resourceVersion": live["metadata"]["resourceVersion"]}
        whole = {**manifest, "metadata": {**manifest["metadata"], **version}}
        applied = await cluster.replace(entry.kind, entry.key, whole, dry_run=True, strict=strict)
    elif _merges(entry, state):
        patch, how = three_way(last_applied(manifest), live)
        applied = await cluster.patch(entry.kind, entry.key, patch, how, dry_run=True, strict=strict)
    else:
        applied = await cluster.apply(entry.kind, entry.key, manifest, dry_run=True, strict=strict)
    return applied.object


def was_merged_otherwise(entry: Entry, manifest: Object, live: Object, state: State) -> bool:
    """Say whether an object that is merged on this side was merged last from another manifest than this one:
    what left it since may still be there, held by whoever wrote it last.
    """
    return _merges(entry, state) and leftovers(manifest, live)


def _merges(entry: Entry, state: State) -> bool:
    return not _on("ServerSideApply", entry, state, default=True)


def _on(option: str, entry: Entry, state: State, *, default: bool = False) -> bool:
    return options.enabled(option, entry.options, state.policy.options, default=default)
