"""What became of each object of a sync, in Argo CD's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from edge_agent.cluster.names import Key, Kind

Status = Literal["Synced", "SyncFailed", "SyncSkipped", "Pruned", "PruneSkipped"]
"""`SyncSkipped` is Outrider's own: left as it was, because something else of the same sync was refused."""


@dataclass(frozen=True, slots=True)
class Result:
    """One object's result."""

    key: Key
    kind: Kind
    status: Status
    message: str = ""

    @property
    def failed(self) -> bool:
        """Say whether the sync fails by it."""
        return self.status == "SyncFailed"

    def document(self) -> dict[str, Any]:
        """Return it as `operationState.syncResult.resources[]` has it."""
        return {
            "group": self.key.group,
            "version": self.kind.version,
            "kind": self.key.kind,
            "namespace": self.key.namespace,
            "name": self.key.name,
            "status": self.status,
            "message": self.message,
        }
