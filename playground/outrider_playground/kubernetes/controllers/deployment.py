"""Deployments: one ReplicaSet per pod template, and a rollout from the old ones to the current one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..resources import builtin
from . import rollout
from .actor import Actor
from .conditions import condition
from .deployment_status import announced, next_status
from .loop import Controller
from .owners import adopt, controlled, owner_keys, reference, short_hash
from .replica_set import PODS, REPLICA_SETS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..state import State
    from ..store import Change, Key
    from ..values import Manifest

DEPLOYMENTS: Final = builtin("apps/v1", "Deployment")
HASH_LABEL: Final = "pod-template-hash"
_REVISION: Final = "deployment.kubernetes.io/revision"
_DESIRED: Final = "deployment.kubernetes.io/desired-replicas"
_MAXIMUM: Final = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED: Final = ("kubectl.kubernetes.io/last-applied-configuration", _REVISION, _DESIRED, _MAXIMUM)


class DeploymentController(Controller):
    """Rolls Deployments out."""

    watches = (DEPLOYMENTS.storage, REPLICA_SETS.storage)

    def __init__(self, state: State) -> None:
        self._state = state
        self._actor = Actor(state)

    def keys(self, change: Change) -> Iterable[Key]:
        """Name the Deployment itself, or the one that controls a ReplicaSet."""
        return [change.key] if change.storage == DEPLOYMENTS.storage else owner_keys(change, "Deployment")

    def reconcile(self, key: Key) -> float | None:
        """Find or create the current ReplicaSet, scale all, report."""
        live = self._state.store.get(DEPLOYMENTS.storage, key)
        if live is None or live["metadata"].get("deletionTimestamp"):
            return None
        sets = adopt(self._actor, DEPLOYMENTS, live, REPLICA_SETS)
        current = _current(live, sets)
        if not live["spec"].get("paused") and not self._still_stopping(live, current, sets):
            live, current, sets = self._settle_current(live, current, sets)
            sets = self._scale(live, current, sets)
        sets = controlled(self._state, REPLICA_SETS.storage, live)
        current = _current(live, sets)
        status = next_status(live, sets, current, self._state.now(), self._state.clock())
        self._actor.update_status(DEPLOYMENTS, live, status)
        if current is not None and rollout.is_complete(live["spec"], status):
            self._forget_old(live, current, sets)
        return self._deadline_s(live, status)

    def _deadline_s(self, live: Manifest, status: dict[str, Any]) -> float | None:
        """Return when to look again whether the rollout stands still."""
        found = condition(status.get("conditions"), rollout.PROGRESSING)
        if found is None or found["status"] != "True" or found["reason"] == "NewReplicaSetAvailable":
            return None
        return max(rollout.remaining_s(live["spec"], found, self._state.clock()), 0.0) + 0.1

    def _settle_current(
        self, live: Manifest, current: Manifest | None, sets: list[Manifest]
    ) -> tuple[Manifest, Manifest, list[Manifest]]:
        """Make sure that there is a ReplicaSet for the template, and that its revision is the highest."""
        created = current is None
        highest = max((_revision(each) for each in sets if each is not current), default=0)
        if current is None:
            current = self._create(live, sets, highest + 1)
        else:
            current = self._annotate(
                live,
                current,
                max(highest + 1, _revision(current)) if highest >= _revision(current) else _revision(current),
            )
        uid = current["metadata"]["uid"]
        sets = [*(each for each in sets if each["metadata"]["uid"] != uid), current]
        conditions = announced(live, current["metadata"]["name"], self._state.now(), created=created)
        annotations = {**(live["metadata"].get("annotations") or {}), _REVISION: str(_revision(current))}
        if conditions != live["status"].get("conditions") or annotations != live["metadata"].get(
            "annotations"
        ):
            metadata = {**live["metadata"], "annotations": annotations}
            live = self._actor.update_status(
                DEPLOYMENTS, live, {**live["status"], "conditions": conditions}, metadata=metadata
            )
        return live, current, sets

    def _create(self, live: Manifest, sets: list[Manifest], revision: int) -> Manifest:
        spec, template = live["spec"], live["spec"]["template"]
        digest = short_hash(template)
        metadata = template.get("metadata") or {}
        labels = {**(metadata.get("labels") or {}), HASH_LABEL: digest}
        selector = spec["selector"]
        made: dict[str, Any] = {
            "metadata": {
                "name": f"{live['metadata']['name']}-{digest}",
                "labels": labels,
                "annotations": _annotations(live, revision),
                "ownerReferences": [reference(DEPLOYMENTS, live)],
            },
            "spec": {
                "replicas": rollout.new_replicas(spec, 0, sum(each["spec"]["replicas"] for each in sets)),
                "selector": {
                    **selector,
                    "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: digest},
                },
                "template": {**template, "metadata": {**metadata, "labels": labels}},
            },
        }
        if spec.get("minReadySeconds"):
            made["spec"]["minReadySeconds"] = spec["minReadySeconds"]
        return self._actor.create(REPLICA_SETS, live["metadata"]["namespace"], made)

    def _annotate(self, live: Manifest, current: Manifest, revision: int) -> Manifest:
        before = current["metadata"].get("annotations") or {}
        annotations = {**before, **_annotations(live, revision)}
        if annotations == before:
            return current
        return self._actor.update(
            REPLICA_SETS, current, metadata={**current["metadata"], "annotations": annotations}
        )

    def _scale(self, live: Manifest, current: Manifest, sets: list[Manifest]) -> list[Manifest]:
        spec = live["spec"]
        others = sorted((each for each in sets if each is not current), key=_revision)
        total = sum(each["spec"]["replicas"] for each in sets)
        current = self._resize(live, current, rollout.new_replicas(spec, current["spec"]["replicas"], total))
        wanted = rollout.scaled_down(spec, [_pair(each) for each in others], _pair(current))
        others = [self._resize(live, each, number) for each, number in zip(others, wanted, strict=True)]
        return [*others, current]

    def _still_stopping(self, live: Manifest, current: Manifest | None, sets: list[Manifest]) -> bool:
        """For a Deployment that is to be recreated: stop all older pods, and tell whether any is left."""
        if live["spec"]["strategy"].get("type") != "Recreate":
            return False
        others = [self._resize(live, each, 0) for each in sets if each is not current]
        return any(
            storage == PODS.storage
            for each in others
            for storage, _, _ in self._state.store.children_of(each["metadata"]["uid"])
        )

    def _resize(self, live: Manifest, replica_set: Manifest, replicas: int) -> Manifest:
        if replica_set["spec"]["replicas"] == replicas:
            return replica_set
        sizes = _sizes(live)
        metadata = replica_set["metadata"]
        annotated = {**metadata, "annotations": {**(metadata.get("annotations") or {}), **sizes}}
        spec = {**replica_set["spec"], "replicas": replicas}
        return self._actor.update(REPLICA_SETS, replica_set, metadata=annotated, spec=spec)

    def _forget_old(self, live: Manifest, current: Manifest, sets: list[Manifest]) -> None:
        old = [
            each
            for each in sorted(sets, key=_revision)
            if each["metadata"]["uid"] != current["metadata"]["uid"]
            and not each["spec"]["replicas"]
            and not each["status"].get("replicas")
        ]
        for each in old[: max(len(old) - live["spec"].get("revisionHistoryLimit", 10), 0)]:
            self._actor.delete(REPLICA_SETS, each)


def _current(live: Manifest, sets: list[Manifest]) -> Manifest | None:
    wanted = live["spec"]["template"]
    return next((each for each in sorted(sets, key=_revision) if _template(each) == wanted), None)


def _template(replica_set: Manifest) -> dict[str, Any]:
    template = replica_set["spec"]["template"]
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH_LABEL}
    return {**template, "metadata": {**metadata, "labels": labels}}


def _revision(replica_set: Manifest) -> int:
    text = (replica_set["metadata"].get("annotations") or {}).get(_REVISION, "0")
    return int(text) if text.isdigit() else 0


def _pair(replica_set: Manifest) -> tuple[int, int]:
    return replica_set["spec"]["replicas"], replica_set["status"].get("availableReplicas", 0)


def _sizes(live: Manifest) -> dict[str, str]:
    replicas = live["spec"]["replicas"]
    return {_DESIRED: str(replicas), _MAXIMUM: str(replicas + rollout.bounds(live["spec"]).surge)}


def _annotations(live: Manifest, revision: int) -> dict[str, str]:
    given = live["metadata"].get("annotations") or {}
    copied = {key: value for key, value in given.items() if key not in _NOT_COPIED}
    return {**copied, **_sizes(live), _REVISION: str(revision)}
