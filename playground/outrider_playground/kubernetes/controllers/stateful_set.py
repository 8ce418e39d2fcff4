"""StatefulSets: pods with names and volumes of their own, started and replaced in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..resources import builtin
from .actor import Actor
from .loop import Controller
from .owners import controlled, owner_keys, reference
from .pod_state import is_active, is_available, is_ready
from .replica_set import PODS
from .revisions import HASH_LABEL, current_revision, template_of
from .volumes import CLAIMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..state import State
    from ..store import Change, Key
    from ..values import Manifest

STATEFUL_SETS: Final = builtin("apps/v1", "StatefulSet")


class StatefulSetController(Controller):
    """Keeps the ordered pods of StatefulSets."""

    watches = (STATEFUL_SETS.storage, PODS.storage)

    def __init__(self, state: State) -> None:
        self._state = state
        self._actor = Actor(state)

    def keys(self, change: Change) -> Iterable[Key]:
        """Name the StatefulSet itself, or the one that controls a pod."""
        return [change.key] if change.storage == STATEFUL_SETS.storage else owner_keys(change, "StatefulSet")

    def reconcile(self, key: Key) -> float | None:
        """Take one step towards the wanted pods, then report."""
        live = self._state.store.get(STATEFUL_SETS.storage, key)
        if live is None or live["metadata"].get("deletionTimestamp"):
            return None
        update = current_revision(self._actor, STATEFUL_SETS, live)["metadata"]["name"]
        current = live["status"].get("currentRevision") or update
        pods = self._pods(live)
        self._step(live, pods, current, update)
        self._actor.update_status(STATEFUL_SETS, live, self._status(live, current, update))
        return None

    def _pods(self, live: Manifest) -> dict[int, Manifest]:
        prefix = f"{live['metadata']['name']}-"
        out = {}
        for pod in controlled(self._state, PODS.storage, live):
            ordinal = pod["metadata"]["name"].removeprefix(prefix)
            if ordinal.isdigit():
                out[int(ordinal)] = pod
        return out

    def _step(self, live: Manifest, pods: dict[int, Manifest], current: str, update: str) -> None:
        spec = live["spec"]
        in_order = spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady"
        partition = (spec["updateStrategy"].get("rollingUpdate") or {}).get("partition", 0)
        for ordinal in range(spec["replicas"]):
            pod = pods.get(ordinal)
            if pod is None:
                self._create(live, ordinal, update if ordinal >= partition else current)
            if in_order and (pod is None or not is_active(pod) or not is_ready(pod)):
                if pod is None or not self._replaceable(pod, update):
                    return
                break
        surplus = [pods[ordinal] for ordinal in sorted(pods, reverse=True) if ordinal >= spec["replicas"]]
        for pod in surplus[: 1 if in_order else len(surplus)]:
            self._actor.delete(PODS, pod)
        if not surplus and spec["updateStrategy"].get("type") == "RollingUpdate":
            self._replace_next(live, pods, update, partition)

    def _replaceable(self, pod: Manifest, update: str) -> bool:
        """Whether a pod that is not ready is of an older revision: then it need not be waited for."""
        return is_active(pod) and pod["metadata"]["labels"].get(HASH_LABEL) != update

    def _replace_next(self, live: Manifest, pods: dict[int, Manifest], update: str, partition: int) -> None:
        """Replace the pod with the highest number that is of an older revision, once all above it are ready."""
        for ordinal in range(live["spec"]["replicas"] - 1, partition - 1, -1):
            pod = pods.get(ordinal)
            if pod is None or not is_active(pod):
                return
            if pod["metadata"]["labels"].get(HASH_LABEL) != update:
                self._actor.delete(PODS, pod)
                return
            if not is_ready(pod):
                return

    def _create(self, live: Manifest, ordinal: int, revision: str) -> None:
        metadata, spec = live["metadata"], live["spec"]
        name = f"{metadata['name']}-{ordinal}"
        template = template_of(self._actor, live, revision)
        labels = {
            **(template["metadata"].get("labels") or {}),
            "apps.kubernetes.io/pod-index": str(ordinal),
            HASH_LABEL: revision,
            "statefulset.kubernetes.io/pod-name": name,
        }
        volumes = self._claim_volumes(live, name)
        claimed = {each["name"] for each in volumes}
        kept = [each for each in template["spec"].get("volumes") or () if each["name"] not in claimed]
        made: dict[str, Any] = {
            "metadata": {"name": name, "labels": labels, "ownerReferences": [reference(STATEFUL_SETS, live)]},
            "spec": {**template["spec"], "hostname": name, "subdomain": spec.get("serviceName", "")},
        }
        if template["metadata"].get("annotations"):
            made["metadata"]["annotations"] = template["metadata"]["annotations"]
        if kept or volumes:
            made["spec"]["volumes"] = [*kept, *volumes]
        self._actor.create(PODS, metadata["namespace"], made)

    def _claim_volumes(self, live: Manifest, pod: str) -> list[dict[str, Any]]:
        """Make sure that a pod's claims are there; return the volumes that they are mounted as."""
        out = []
        for template in live["spec"].get("volumeClaimTemplates") or ():
            given = template["metadata"]
            name = f"{given['name']}-{pod}"
            labels = {**(given.get("labels") or {}), **(live["spec"]["selector"].get("matchLabels") or {})}
            metadata = {"name": name, "labels": labels}
            if given.get("annotations"):
                metadata["annotations"] = given["annotations"]
            self._actor.create(
                CLAIMS, live["metadata"]["namespace"], {"metadata": metadata, "spec": template["spec"]}
            )
            out.append({"name": given["name"], "persistentVolumeClaim": {"claimName": name}})
        return out

    def _status(self, live: Manifest, current: str, update: str) -> dict[str, Any]:
        pods = [pod for pod in self._pods(live).values() if is_active(pod)]
        min_ready_s = live["spec"].get("minReadySeconds", 0)
        updated = sum(1 for pod in pods if pod["metadata"]["labels"].get(HASH_LABEL) == update)
        ready = sum(1 for pod in pods if is_ready(pod))
        if updated == len(pods) == ready == live["spec"]["replicas"]:
            current = update
        numbers = {
            "readyReplicas": ready,
            "currentReplicas": sum(1 for pod in pods if pod["metadata"]["labels"].get(HASH_LABEL) == current),
            "updatedReplicas": updated,
        }
        return {
            "observedGeneration": live["metadata"]["generation"],
            "replicas": len(pods),
            **{name: number for name, number in numbers.items() if number},
            "availableReplicas": sum(
                1 for pod in pods if is_available(pod, min_ready_s, self._state.clock())
            ),
            "currentRevision": current,
            "updateRevision": update,
            "collisionCount": 0,
        }
