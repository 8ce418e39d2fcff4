"""Jobs: pods that are to end well so many times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..ages import read_time
from ..resources import builtin
from .actor import Actor
from .conditions import Conditions, condition, with_condition
from .loop import Controller
from .owners import controlled, owner_keys, reference
from .pod_state import is_active, is_ready
from .replica_set import PODS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..state import State
    from ..store import Change, Key
    from ..values import Manifest

JOBS: Final = builtin("batch/v1", "Job")


class JobController(Controller):
    """Runs Jobs to their end."""

    watches = (JOBS.storage, PODS.storage)

    def __init__(self, state: State) -> None:
        self._state = state
        self._actor = Actor(state)

    def keys(self, change: Change) -> Iterable[Key]:
        """Name the Job itself, or the one that controls a pod."""
        return [change.key] if change.storage == JOBS.storage else owner_keys(change, "Job")

    def reconcile(self, key: Key) -> float | None:
        """Start what is missing, or end the Job; report."""
        live = self._state.store.get(JOBS.storage, key)
        if live is None or live["metadata"].get("deletionTimestamp"):
            return None
        if is_finished(live):
            return self._expire(live)
        pods = controlled(self._state, PODS.storage, live)
        verdict = self._verdict(live, pods)
        active = [pod for pod in pods if is_active(pod)]
        if verdict or live["spec"].get("suspend"):
            for pod in active:
                self._actor.delete(PODS, pod)
        else:
            self._start_missing(live, pods, active)
        pods = controlled(self._state, PODS.storage, live)
        self._actor.update_status(JOBS, live, self._status(live, pods, verdict))
        return self._deadline_s(live)

    def _start_missing(self, live: Manifest, pods: list[Manifest], active: list[Manifest]) -> None:
        spec = live["spec"]
        wanted = spec["parallelism"]
        if "completions" in spec:
            wanted = min(wanted, spec["completions"] - _count(pods, "Succeeded"))
        elif _count(pods, "Succeeded"):
            wanted = 0
        template = spec["template"]
        metadata = {
            "generateName": f"{live['metadata']['name']}-",
            "labels": template["metadata"].get("labels") or {},
            "ownerReferences": [reference(JOBS, live)],
        }
        for _ in range(wanted - len(active)):
            self._actor.create(
                PODS, live["metadata"]["namespace"], {"metadata": metadata, "spec": template["spec"]}
            )

    def _verdict(self, live: Manifest, pods: list[Manifest]) -> str:
        """Tell how a Job has ended: "Complete", the reason of its failure, or "" while it goes on."""
        spec = live["spec"]
        succeeded = _count(pods, "Succeeded")
        if succeeded >= spec.get("completions", 1) and not (
            ("completions" not in spec) and any(map(is_active, pods))
        ):
            return "Complete"
        failures = _count(pods, "Failed") + sum(spec["backoffLimit"] + 1 for pod in pods if _crashes(pod))
        if failures > spec["backoffLimit"]:
            return "BackoffLimitExceeded"
        left = self._left_s(live)
        return "DeadlineExceeded" if left is not None and left <= 0 else ""

    def _left_s(self, live: Manifest) -> float | None:
        limit, start = live["spec"].get("activeDeadlineSeconds"), live["status"].get("startTime")
        if limit is None or start is None:
            return None
        return float(limit) - (self._state.clock() - read_time(start)).total_seconds()

    def _deadline_s(self, live: Manifest) -> float | None:
        limit = live["spec"].get("activeDeadlineSeconds")
        left = self._left_s(live)
        return None if limit is None else max(left if left is not None else float(limit), 0.0) + 0.05

    def _expire(self, live: Manifest) -> float | None:
        limit = live["spec"].get("ttlSecondsAfterFinished")
        ended = next(
            (each for each in live["status"]["conditions"] if each["type"] in {"Complete", "Failed"}), None
        )
        if limit is None or ended is None:
            return None
        left = float(limit) - (self._state.clock() - read_time(ended["lastTransitionTime"])).total_seconds()
        if left > 0:
            return left + 0.05
        self._actor.delete(JOBS, live)
        return None

    def _status(self, live: Manifest, pods: list[Manifest], verdict: str) -> dict[str, Any]:
        before, now = live["status"], self._state.now()
        active = [pod for pod in pods if is_active(pod)]
        numbers = {
            "active": len(active),
            "succeeded": max(_count(pods, "Succeeded"), before.get("succeeded", 0)),
            "failed": max(_count(pods, "Failed"), before.get("failed", 0)),
        }
        status: dict[str, Any] = {name: number for name, number in numbers.items() if number}
        status |= {"ready": sum(1 for pod in active if is_ready(pod)), "uncountedTerminatedPods": {}}
        status["terminating"] = sum(1 for pod in pods if pod["metadata"].get("deletionTimestamp"))
        conditions = _conditions(live, verdict, now)
        if conditions:
            status["conditions"] = conditions
        if not live["spec"].get("suspend"):
            status["startTime"] = before.get("startTime", now)
        if verdict == "Complete":
            status["completionTime"] = now
        return status


def is_finished(live: Manifest) -> bool:
    """Whether a Job has ended, well or not."""
    conditions = live["status"].get("conditions")
    return any((condition(conditions, kind) or {}).get("status") == "True" for kind in ("Complete", "Failed"))


def _conditions(live: Manifest, verdict: str, now: str) -> Conditions:
    conditions: Conditions = live["status"].get("conditions") or []
    suspended = bool(live["spec"].get("suspend"))
    if suspended or condition(conditions, "Suspended") is not None:
        reason = "JobSuspended" if suspended else "JobResumed"
        conditions = with_condition(
            conditions, _made("Suspended", suspended, reason, f"Job {reason[3:].lower()}", now), now
        )
    if verdict == "Complete":
        pairs = [("SuccessCriteriaMet", "CompletionsReached"), ("Complete", "CompletionsReached")]
        text = "Reached expected number of succeeded pods"
    elif verdict:
        pairs = [("FailureTarget", verdict), ("Failed", verdict)]
        text = (
            "Job has reached the specified backoff limit"
            if verdict.startswith("Backoff")
            else "Job was active longer than specified deadline"
        )
    else:
        return conditions
    for kind, reason in pairs:
        conditions = with_condition(conditions, _made(kind, True, reason, text, now), now)
    return conditions


def _made(kind: str, status: bool, reason: str, message: str, now: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": "True" if status else "False",
        "lastProbeTime": now,
        "reason": reason,
        "message": message,
    }


def _count(pods: list[Manifest], phase: str) -> int:
    return sum(1 for pod in pods if pod["status"].get("phase") == phase)


def _crashes(pod: Manifest) -> bool:
    statuses = pod["status"].get("containerStatuses") or ()
    return any(
        (each.get("state", {}).get("waiting") or {}).get("reason") == "CrashLoopBackOff" for each in statuses
    )
