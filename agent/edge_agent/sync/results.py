"""What became of each object and hook of a sync, in Argo CD's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from outrider.manifests import phases

if TYPE_CHECKING:
    from edge_agent.cluster.names import Key, Kind
    from edge_agent.sync.hooks import Run

Status = Literal["Synced", "SyncFailed", "SyncSkipped", "Pruned", "PruneSkipped"]
"""`SyncSkipped` is Outrider's own: left as it was, because something else of the same sync was refused."""


@dataclass(frozen=True, slots=True)
class Result:
    """One object's result; `hook` is the phase of a hook, `hook_state` how it stands in it."""

    key: Key
    kind: Kind
    status: Status
    message: str = ""
    hook: str = ""
    hook_state: str = ""

    @property
    def failed(self) -> bool:
        """Say whether the sync fails by it."""
        return self.status == "SyncFailed"

    def document(self) -> dict[str, Any]:
        """Return it as `operationState.syncResult.resources[]` has it."""
        found = {
            "group": self.key.group,
            "version": self.kind.version,
            "kind": self.key.kind,
            "namespace": self.key.namespace,
            "name": self.key.name,
            "status": self.status,
            "message": self.message,
            "syncPhase": self.hook or phases.SYNC,
        }
        if self.hook:
            found |= {"hookType": self.hook, "hookPhase": self.hook_state or "Failed"}
        return found


def result_of(hook_phase: str, run: Run) -> Result:
    """Return the result of a hook that was begun."""
    state = run.state if run.over else "Running"
    # A hook that was created is Synced, however it ended then: that stands in its phase.
    status: Status = "SyncFailed" if run.state == "Failed" and not run.uid else "Synced"
    return Result(run.key, run.kind, status, run.message, hook=hook_phase, hook_state=state)
