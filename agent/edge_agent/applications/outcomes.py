"""The end of a sync: of each object and hook, what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.applications.compare import in_sync
from edge_agent.applications.facts import refusals
from edge_agent.sync import Finished, Result
from edge_agent.sync.results import result_of

if TYPE_CHECKING:
    from edge_agent.applications.sync_context import SyncContext


def complete(finished: Finished, context: SyncContext) -> None:
    """Say of each object of the sync what became of it."""
    done, running = context.running.done, context.running
    for result in refusals(context):
        done[result.key] = result
    for entry in context.index.entries.values():
        if entry.key in done or not context.is_about(entry.key):
            continue
        if in_sync(entry, context.state, context.around):
            done[entry.key] = Result(entry.key, entry.kind, "Synced", "unchanged")
        elif not finished.succeeded:
            done[entry.key] = Result(entry.key, entry.kind, "SyncSkipped", "left as it was")
    for found in running.doomed.values():
        if found.key not in done and found.going:
            done[found.key] = Result(found.key, found.kind, "Pruned", "is being deleted")
    runs = context.progress.hooks.runs
    running.hook_results = [
        result_of(hook.phase, runs[hook.id]) for hook in context.index.hooks if hook.id in runs
    ]
