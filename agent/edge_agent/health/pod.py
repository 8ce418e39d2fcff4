"""Pod: by its phase; one that should run for ever is Healthy when ready and Degraded when its containers keep
failing.

A Pod with a finite life (restart policy OnFailure or Never) is Progressing while it runs: what waits for it
waits for its end, and a pull that fails for a while must not end that wait. The annotation
`argocd.argoproj.io/ignore-restart-policy` has it judged as one that runs for ever; not so a hook, whose end is
what its sync waits for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    UNKNOWN,
    Health,
    conditions,
    section,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


IGNORE_RESTART_POLICY = "argocd.argoproj.io/ignore-restart-policy"
_HOOKS = ("argocd.argoproj.io/hook", "helm.sh/hook")


def pod(live: Mapping[str, Any]) -> Health:
    """Judge a Pod."""
    status = section(live, "status")
    message = str(status.get("message") or "")
    endless = _is_endless(live)
    stuck = _stuck(_containers(status)) if endless else ""
    if stuck:
        return Health(DEGRADED, stuck)
    match status.get("phase"):
        case "Pending":
            return Health(PROGRESSING, message)
        case "Succeeded":
            return Health(HEALTHY, message)
        case "Failed":
            return Health(DEGRADED, message or _failure(status))
        case "Running":
            return _running(live, message) if endless else Health(PROGRESSING, message)
    return Health(UNKNOWN, message)


def _is_endless(live: Mapping[str, Any]) -> bool:
    if section(live, "spec").get("restartPolicy", "Always") == "Always":
        return True
    annotations = section(section(live, "metadata"), "annotations")
    return annotations.get(IGNORE_RESTART_POLICY) == "true" and not any(
        hook in annotations for hook in _HOOKS
    )


def _running(live: Mapping[str, Any], message: str) -> Health:
    if conditions(live).get("Ready", {}).get("status") == "True":
        return Health(HEALTHY, message)
    restarted = any(
        section(section(found, "lastState"), "terminated") for found in _containers(section(live, "status"))
    )
    return Health(DEGRADED if restarted else PROGRESSING, message)


def _stuck(containers: Iterable[Mapping[str, Any]]) -> str:
    """Say what the containers wait for that will not come by itself: ErrImagePull, CrashLoopBackOff, ..."""
    found = []
    for container in containers:
        waiting = section(section(container, "state"), "waiting")
        reason = str(waiting.get("reason") or "")
        if reason.startswith("Err") or reason.endswith(("Error", "BackOff")):
            found.append(str(waiting.get("message") or reason))
    return ", ".join(found)


def _failure(status: Mapping[str, Any]) -> str:
    for container in (*(status.get("initContainerStatuses") or ()), *_containers(status)):
        ended = section(section(container, "state"), "terminated")
        if ended.get("message"):
            return str(ended["message"])
        if ended.get("reason") == "OOMKilled":
            return "OOMKilled"
        if ended.get("exitCode"):
            return f"container {container.get('name')} ended with exit status {ended['exitCode']}"
    return ""


def _containers(status: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return status.get("containerStatuses") or ()
