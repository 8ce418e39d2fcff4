"""DaemonSets: one pod on each node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..resources import builtin
from .actor import Actor
from .loop import Controller
from .node import NODES
from .owners import controlled, owner_keys, reference
from .pod_state import is_active, is_available, is_ready
from .replica_set import PODS
from .revisions import HASH_LABEL, current_revision

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..state import State
    from ..store import Change, Key
    from ..values import Manifest

DAEMON_SETS: Final = builtin("apps/v1", "DaemonSet")


class DaemonSetController(Controller):
    """Keeps a pod of each DaemonSet on each node."""

    watches = (DAEMON_SETS.storage, PODS.storage, NODES.storage)

    def __init__(self, state: State) -> None:
        self._state = state
        self._actor = Actor(state)

    def keys(self, change: Change) -> Iterable[Key]:
        """Name the DaemonSet itself, the one that controls a pod, or all when nodes come and go."""
        if change.storage == DAEMON_SETS.storage:
            return [change.key]
        if change.storage == PODS.storage:
            return owner_keys(change, "DaemonSet")
        if change.before is not None and not change.deleted:
            return ()
        found = self._state.store.listed(DAEMON_SETS.storage)
        return [(each["metadata"]["namespace"], each["metadata"]["name"]) for each in found]

    def reconcile(self, key: Key) -> float | None:
        """Start what is missing, replace what is old, report."""
        live = self._state.store.get(DAEMON_SETS.storage, key)
        if live is None or live["metadata"].get("deletionTimestamp"):
            return None
        digest = current_revision(self._actor, DAEMON_SETS, live)["metadata"]["labels"][HASH_LABEL]
        nodes = [node["metadata"]["name"] for node in self._state.store.listed(NODES.storage)]
        self._settle(live, nodes, digest)
        self._actor.update_status(DAEMON_SETS, live, self._status(live, nodes, digest))
        return None

    def _settle(self, live: Manifest, nodes: list[str], digest: str) -> None:
        pods = controlled(self._state, PODS.storage, live)
        placed = {pod["spec"].get("nodeName"): pod for pod in pods}
        for node in nodes:
            if node not in placed:
                self._create(live, node, digest)
        for node, pod in placed.items():
            if node not in nodes:
                self._actor.delete(PODS, pod)
        self._replace_next(
            live, [pod for pod in pods if pod["spec"].get("nodeName") in nodes], len(nodes), digest
        )

    def _replace_next(self, live: Manifest, pods: list[Manifest], nodes: int, digest: str) -> None:
        """Delete pods of older templates as far as enough others are ready."""
        strategy = live["spec"]["updateStrategy"]
        old = [pod for pod in pods if pod["metadata"]["labels"].get(HASH_LABEL) != digest and is_active(pod)]
        if strategy.get("type") != "RollingUpdate" or not old:
            return
        allowed = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1)
        if isinstance(allowed, str):
            allowed = max(int(allowed.rstrip("%")) * nodes // 100, 1)
        down = nodes - sum(1 for pod in pods if is_active(pod) and is_ready(pod))
        old.sort(key=is_ready)
        for pod in old:
            if is_ready(pod):
                if down >= allowed:
                    return
                down += 1
            self._actor.delete(PODS, pod)

    def _create(self, live: Manifest, node: str, digest: str) -> None:
        template = live["spec"]["template"]
        given = template.get("metadata") or {}
        labels = {
            **(given.get("labels") or {}),
            HASH_LABEL: digest,
            "pod-template-generation": str(live["metadata"]["generation"]),
        }
        metadata = {
            "generateName": f"{live['metadata']['name']}-",
            "labels": labels,
            "ownerReferences": [reference(DAEMON_SETS, live)],
        }
        if given.get("annotations"):
            metadata["annotations"] = given["annotations"]
        spec = {**template["spec"], "nodeName": node}
        self._actor.create(PODS, live["metadata"]["namespace"], {"metadata": metadata, "spec": spec})

    def _status(self, live: Manifest, nodes: list[str], digest: str) -> dict[str, Any]:
        pods = [pod for pod in controlled(self._state, PODS.storage, live) if is_active(pod)]
        min_ready_s = live["spec"].get("minReadySeconds", 0)
        available = sum(1 for pod in pods if is_available(pod, min_ready_s, self._state.clock()))
        updated = sum(1 for pod in pods if pod["metadata"]["labels"].get(HASH_LABEL) == digest)
        optional = {
            "updatedNumberScheduled": updated,
            "numberAvailable": available,
            "numberUnavailable": len(nodes) - available,
        }
        return {
            "currentNumberScheduled": len(pods),
            "numberMisscheduled": 0,
            "desiredNumberScheduled": len(nodes),
            "numberReady": sum(1 for pod in pods if is_ready(pod)),
            "observedGeneration": live["metadata"]["generation"],
            **{name: number for name, number in optional.items() if number},
        }
