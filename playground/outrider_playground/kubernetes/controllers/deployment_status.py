"""What a Deployment reports: counts and conditions, decided from the last report and the ReplicaSets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import rollout
from .conditions import Conditions, condition

if TYPE_CHECKING:
    from datetime import datetime

    from ..values import Manifest


def next_status(
    live: Manifest, sets: list[Manifest], current: Manifest | None, now: str, clock: datetime
) -> dict[str, Any]:
    """Return the status that follows from the last one."""
    before, spec = live["status"], live["spec"]
    status: dict[str, Any] = rollout.counts(live["metadata"]["generation"], sets, current)
    conditions = _put(before.get("conditions"), _availability(spec, status), now)
    found = condition(conditions, rollout.PROGRESSING)
    settled = (
        status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and (found or {}).get("reason") == "NewReplicaSetAvailable"
    )
    if not settled:
        conditions = _progress(live, status, current, conditions, now, clock)
    status["conditions"] = conditions
    if before.get("collisionCount"):
        status["collisionCount"] = before["collisionCount"]
    return status


def _availability(spec: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    least = spec["replicas"] - rollout.bounds(spec).unavailable
    if status.get("availableReplicas", 0) >= least:
        return _made(
            rollout.AVAILABLE, True, "MinimumReplicasAvailable", "Deployment has minimum availability."
        )
    return _made(
        rollout.AVAILABLE,
        False,
        "MinimumReplicasUnavailable",
        "Deployment does not have minimum availability.",
    )


def _progress(
    live: Manifest,
    status: dict[str, Any],
    current: Manifest | None,
    conditions: Conditions,
    now: str,
    clock: datetime,
) -> Conditions:
    spec, before = live["spec"], live["status"]
    subject = (
        f'ReplicaSet "{current["metadata"]["name"]}"'
        if current is not None
        else f'Deployment "{live["metadata"]["name"]}"'
    )
    if rollout.is_complete(spec, status):
        made = _made(
            rollout.PROGRESSING, True, "NewReplicaSetAvailable", f"{subject} has successfully progressed."
        )
        return _put(conditions, made, now)
    if rollout.made_progress(before, status):
        made = _made(rollout.PROGRESSING, True, "ReplicaSetUpdated", f"{subject} is progressing.")
        return _put(conditions, made, now, renew=True)
    if rollout.timed_out(spec, before, clock):
        made = _made(
            rollout.PROGRESSING, False, "ProgressDeadlineExceeded", f"{subject} has timed out progressing."
        )
        return _put(conditions, made, now)
    return conditions


def announced(live: Manifest, name: str, now: str, *, created: bool) -> Conditions:
    """Return the conditions once the current ReplicaSet is known."""
    reason = "NewReplicaSetCreated" if created else "FoundNewReplicaSet"
    words = "Created new replica set" if created else "Found new replica set"
    made = _made(rollout.PROGRESSING, True, reason, f'{words} "{name}"')
    conditions: Conditions | None = live["status"].get("conditions")
    if not created and condition(conditions, rollout.PROGRESSING) is not None:
        return list(conditions or ())
    return _put(conditions, made, now)


def _made(kind: str, status: bool, reason: str, message: str) -> dict[str, Any]:
    return {"type": kind, "status": "True" if status else "False", "reason": reason, "message": message}


def _put(conditions: Conditions | None, made: dict[str, Any], now: str, *, renew: bool = False) -> Conditions:
    """Put a condition at the end, unless it says what it said before; `renew` writes it then, too."""
    before = condition(conditions, made["type"])
    rest = [each for each in conditions or () if each["type"] != made["type"]]
    if before is None:
        return [*rest, {**made, "lastUpdateTime": now, "lastTransitionTime": now}]
    if not renew and (before["status"], before.get("reason")) == (made["status"], made["reason"]):
        return list(conditions or ())
    turned = now if before["status"] != made["status"] else before["lastTransitionTime"]
    return [*rest, {**made, "lastUpdateTime": now, "lastTransitionTime": turned}]
