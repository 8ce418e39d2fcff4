"""Parts of objects that are neither status nor scale: logs, evictions, tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ApiError, bad_request, method_not_allowed
from ..verbs.changing import existing
from ..verbs.deleting import Deletion, delete

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..options import Call
    from ..state import State
    from ..values import Manifest


def pod_log(state: State, call: Call, query: Mapping[str, str]) -> str:
    """Return what a container of a pod would have written. Raises ApiError (400) while it has not started."""
    pod = existing(state, call)
    names = [container["name"] for container in pod["spec"].get("containers") or ()]
    name = query.get("container") or (names[0] if len(names) == 1 else "")
    if not name:
        raise bad_request(f"a container name must be specified for pod {call.name}, choose one of: {names}")
    if name not in names:
        raise bad_request(f"container {name} is not valid for pod {call.name}")
    status = next(
        (each for each in pod["status"].get("containerStatuses") or () if each["name"] == name), None
    )
    phases = (status or {}).get("state") or {}
    if "running" not in phases and "terminated" not in phases:
        reason = (phases.get("waiting") or {}).get("reason", "ContainerCreating")
        raise bad_request(f'container "{name}" in pod "{call.name}" is waiting to start: {reason}')
    started = (phases.get("running") or phases.get("terminated") or {}).get("startedAt", "")
    lines = [f"{name} of {call.name} started at {started}", f"{name} of {call.name} is ready"]
    tail = query.get("tailLines", "")
    if tail.isdigit():
        lines = lines[len(lines) - min(int(tail), len(lines)) :]
    return "".join(f"{line}\n" for line in lines)


def create_part(state: State, call: Call, value: Manifest) -> Manifest:
    """Create an eviction or a token; other parts can't be created here."""
    if call.subresource == "eviction":
        existing(state, call)
        grace_s = (value.get("deleteOptions") or {}).get("gracePeriodSeconds")
        delete(state, call, Deletion(grace_s=grace_s, dry_run=call.options.dry_run))
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    if call.subresource == "token":
        existing(state, call)
        status = {"token": f"simulated-{state.new_uid()}", "expirationTimestamp": state.now()}
        head = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": call.name},
        }
        return {**head, "spec": value.get("spec") or {}, "status": status}
    if call.subresource in {"exec", "attach", "portforward", "proxy"}:
        raise ApiError(501, "NotImplemented", f"a simulated cluster has no {call.subresource}")
    raise method_not_allowed(call.resource)
