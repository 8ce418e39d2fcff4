"""Take over fields from what managed an object before: `kubectl apply` and Argo CD.

While another manager holds a field too, leaving it out of an apply takes nothing away. So where an apply's
answer shows that `kubectl apply`, Argo CD or the agent's own earlier writes of another kind hold fields, those
are handed over to the agent's manager, and the apply is made again: what the manifest doesn't have goes then.
Costs nothing where there is none. (Kubernetes, "Migration between client-side and server-side apply"; argo-cd
`docs/user-guide/sync-options.md`, `ClientSideApplyMigration`.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.cluster import FIELD_MANAGER, JSON_PATCH, Applied, Object
from edge_agent.diff.ownership import taken_over

if TYPE_CHECKING:
    from edge_agent.applications.sync_context import SyncContext
    from edge_agent.sync import Entry

OPTION = "ClientSideApplyMigration"
MANAGER = "argocd.argoproj.io/client-side-apply-migration-manager"
# Who wrote an object before the agent did, where nothing else is said.
_FORMER = frozenset({"kubectl-client-side-apply", "argocd-controller"})


async def apply_and_migrate(entry: Entry, manifest: Object, context: SyncContext, *, strict: bool) -> Applied:
    """Apply an object as the one manager of what its former managers held. Raises `ClusterError`."""
    cluster = context.around.cluster
    applied = await cluster.apply(entry.kind, entry.key, manifest, strict=strict)
    if applied.created or not context.on(OPTION, entry, default=True):
        return applied
    managers = taken_over(applied.object, FIELD_MANAGER, _former(context))
    if managers is None:
        return applied
    metadata = applied.object["metadata"]
    patch = [
        # A conflict, should somebody have changed the object meanwhile: the pass is made again.
        {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
        {"op": "replace", "path": "/metadata/managedFields", "value": managers},
    ]
    await cluster.patch(entry.kind, entry.key, patch, JSON_PATCH)
    return await cluster.apply(entry.kind, entry.key, manifest, strict=strict)


def _former(context: SyncContext) -> frozenset[str]:
    annotations = context.state.desired.annotations if context.state.desired else {}
    named = annotations.get(MANAGER)
    return _FORMER | {named} if named else _FORMER
