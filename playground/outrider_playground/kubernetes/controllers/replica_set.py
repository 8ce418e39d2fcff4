"""ReplicaSets: so many pods of one template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..resources import builtin
from .actor import Actor
from .loop import Controller
from .owners import adopt, owner_keys, reference
from .pod_state import is_active, is_available, is_ready

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..state import State
    from ..store import Change, Key
    from ..values import Manifest

REPLICA_SETS: Final = builtin("apps/v1", "ReplicaSet")
PODS: Final = builtin("v1", "Pod")


class ReplicaSetController(Controller):
    """Creates and deletes pods until there are as many as wanted."""

    watches = (REPLICA_SETS.storage, PODS.storage)

    def __init__(self, state: State) -> None:
        self._state = state
        self._actor = Actor(state)

    def keys(self, change: Change) -> Iterable[Key]:
        """Name the ReplicaSet itself, or the one that controls a pod."""
        return [change.key] if change.storage == REPLICA_SETS.storage else owner_keys(change, "ReplicaSet")

    def reconcile(self, key: Key) -> float | None:
        """Scale, then report."""
        live = self._state.store.get(REPLICA_SETS.storage, key)
        if live is None:
            return None
        pods = adopt(self._actor, REPLICA_SETS, live, PODS)
        if not live["metadata"].get("deletionTimestamp"):
            pods = self._scale(live, pods)
        self._actor.update_status(REPLICA_SETS, live, _status(self._state, live, pods))
        return None

    def _scale(self, live: Manifest, pods: list[Manifest]) -> list[Manifest]:
        active = [pod for pod in pods if is_active(pod)]
        wanted = live["spec"]["replicas"]
        for _ in range(wanted - len(active)):
            pods.append(self._actor.create(PODS, live["metadata"]["namespace"], pod_from(live)))
        surplus = len(active) - wanted
        if surplus <= 0:
            return pods
        active.sort(key=lambda pod: (is_ready(pod), pod["metadata"]["creationTimestamp"]))
        for pod in active[:surplus]:
            self._actor.delete(PODS, pod)
        gone = {pod["metadata"]["uid"] for pod in active[:surplus]}
        kept = [pod for pod in pods if pod["metadata"]["uid"] not in gone]
        return kept + [
            found for uid in sorted(gone) if (found := self._state.store.with_uid(uid)) is not None
        ]


def pod_from(owner: Manifest) -> Manifest:
    """Return the pod that a ReplicaSet's template describes."""
    template = owner["spec"]["template"]
    metadata = template.get("metadata") or {}
    made: dict[str, Any] = {"generateName": f"{owner['metadata']['name']}-"}
    made |= {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}
    made["ownerReferences"] = [reference(REPLICA_SETS, owner)]
    return {"metadata": made, "spec": template["spec"]}


def _status(state: State, live: Manifest, pods: list[Manifest]) -> dict[str, Any]:
    active = [pod for pod in pods if is_active(pod)]
    wanted_labels = (live["spec"]["template"].get("metadata") or {}).get("labels") or {}
    labelled = [
        pod for pod in active if wanted_labels.items() <= (pod["metadata"].get("labels") or {}).items()
    ]
    min_ready_s = live["spec"].get("minReadySeconds", 0)
    counts = {
        "fullyLabeledReplicas": len(labelled),
        "readyReplicas": sum(1 for pod in active if is_ready(pod)),
        "availableReplicas": sum(1 for pod in active if is_available(pod, min_ready_s, state.clock())),
    }
    status: dict[str, Any] = {
        "replicas": len(active),
        **{name: number for name, number in counts.items() if number},
    }
    status["terminatingReplicas"] = sum(1 for pod in pods if pod["metadata"].get("deletionTimestamp"))
    status["observedGeneration"] = live["metadata"]["generation"]
    return status
