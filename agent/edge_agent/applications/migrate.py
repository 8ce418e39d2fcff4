"""Take over fields from what managed an object before: `kubectl apply` and Argo CD.

While another manager holds a field too, leaving it out of an apply takes nothing away. So when an object becomes
the application's, what its former managers hold is handed over to the agent's manager before it is applied: what
the manifest doesn't have goes then. The dry run of the apply tells whether there is anything to hand over. Once
an object is the application's, what a person applies to it beside stays theirs. (Kubernetes, "Migration between
client-side and server-side apply"; argo-cd `docs/user-guide/sync-options.md`, `ClientSideApplyMigration`.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.cluster import FIELD_MANAGER, JSON_PATCH, NotFound, Object
from edge_agent.diff.ownership import taken_over

if TYPE_CHECKING:
    from edge_agent.applications.sync_context import SyncContext
    from edge_agent.sync import Entry

OPTION = "ClientSideApplyMigration"
MANAGER = "argocd.argoproj.io/client-side-apply-migration-manager"
# Who wrote an object before the agent did, where nothing else is said.
_FORMER = frozenset({"kubectl-client-side-apply", "argocd-controller"})


def note_former_managers(entry: Entry, would_be: Object, context: SyncContext) -> None:
    """Take in what a dry run says of who holds an object's fields."""
    live = context.around.inventory.get(entry.key)
    if live is not None and live.tracked == context.state.app:
        return
    if context.on(OPTION, entry, default=True) and taken_over(would_be, FIELD_MANAGER, _former(context)):
        context.running.to_take_over.add(entry.key)


async def take_over(entry: Entry, context: SyncContext) -> None:
    """Hand the fields of an object's former managers over, where there are any. Raises `ClusterError`."""
    if entry.key not in context.running.to_take_over:
        return
    cluster = context.around.cluster
    try:
        live = await cluster.get(entry.kind, entry.key)
    except NotFound:
        return
    managers = taken_over(live, FIELD_MANAGER, _former(context))
    if managers is not None:
        patch = [
            {"op": "replace", "path": "/metadata/managedFields", "value": managers},
            # A conflict, should somebody have changed the object meanwhile: the pass is made again.
            {
                "op": "replace",
                "path": "/metadata/resourceVersion",
                "value": live["metadata"]["resourceVersion"],
            },
        ]
        await cluster.patch(entry.kind, entry.key, patch, JSON_PATCH)
    context.running.to_take_over.discard(entry.key)


def _former(context: SyncContext) -> frozenset[str]:
    annotations = context.state.desired.annotations if context.state.desired else {}
    named = annotations.get(MANAGER)
    return _FORMER | {named} if named else _FORMER
