"""Delete objects: at once, or held back by finalizers, a grace period or dependents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from ..errors import ApiError, Cause, bad_request, details_of, invalid, precondition_failed, unsupported_value
from ..managed_fields import unmanaged
from ..protobuf_reading import read_protobuf
from ..rules import rules_of
from .changing import existing, released

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..options import Call
    from ..state import State
    from ..values import Manifest

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"
DEFINITION_CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"
_POLICIES: Final = ("Background", "Foreground", "Orphan")
_JOB_WARNING: Final = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)


@dataclass(frozen=True, slots=True)
class Deletion:
    """How to delete. `policy` is empty when the request does not say; `grace_s` is None then, too."""

    policy: str = ""
    grace_s: int | None = None
    uid: str = ""
    version: str = ""
    dry_run: bool = False


def read_deletion(query: Mapping[str, str], body: bytes) -> Deletion:
    """Read the options of a deletion, from the body or the query. Raises ApiError when they make no sense."""
    given: dict[str, Any] = {}
    if body.strip():
        try:
            given = read_protobuf(body) if body.startswith(b"k8s\x00") else json.loads(body)
        except ValueError as error:
            raise bad_request(f"the delete options can't be read: {error}") from None
        if not isinstance(given, dict):
            raise bad_request("the delete options are no object")
    policy = given.get("propagationPolicy") or query.get("propagationPolicy", "")
    if policy not in {"", *_POLICIES}:
        raise invalid("DeleteOptions", "", "", [unsupported_value("propagationPolicy", policy, _POLICIES)])
    orphans = given.get("orphanDependents", query.get("orphanDependents"))
    if orphans is not None and not policy:
        policy = "Orphan" if orphans in {True, "true"} else "Background"
    preconditions = given.get("preconditions") or {}
    return Deletion(
        policy=policy,
        grace_s=_grace(given.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))),
        uid=preconditions.get("uid") or "",
        version=preconditions.get("resourceVersion") or "",
        dry_run=bool(given.get("dryRun") or query.get("dryRun")),
    )


def _grace(given: Any) -> int | None:
    if given is None:
        return None
    try:
        return max(int(given), 0)
    except (TypeError, ValueError):
        cause = Cause("FieldValueInvalid", f"Invalid value: {given}", "gracePeriodSeconds")
        raise invalid("DeleteOptions", "", "", [cause]) from None


def delete(state: State, call: Call, deletion: Deletion) -> Manifest:
    """Delete an object: return the Status of success, or the object while something holds it back."""
    live = existing(state, call)
    _check_preconditions(call, live, deletion)
    held = _held(state, call, live, deletion)
    if held is None:
        if not deletion.dry_run:
            state.store.drop(call.resource.storage, call.key)
        return success(call, live["metadata"]["uid"])
    if deletion.dry_run or unmanaged(held) == unmanaged(live):
        return held
    return state.store.put(call.resource.storage, call.key, held)


def success(call: Call, uid: str) -> Manifest:
    """Return the Status that tells of a finished deletion."""
    details = details_of(call.resource, call.name, uid=uid)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _check_preconditions(call: Call, live: Manifest, deletion: Deletion) -> None:
    metadata = live["metadata"]
    if deletion.uid and deletion.uid != metadata["uid"]:
        problem = (
            f"the UID in the precondition ({deletion.uid}) does not match the UID in record ({metadata['uid']}). "
            "The object might have been deleted and then recreated"
        )
        raise precondition_failed(call.resource, call.name, problem)
    if deletion.version and deletion.version != metadata["resourceVersion"]:
        problem = f"the ResourceVersion in the precondition ({deletion.version}) does not match the ResourceVersion in record ({metadata['resourceVersion']})"
        raise precondition_failed(call.resource, call.name, problem)


def _held(state: State, call: Call, live: Manifest, deletion: Deletion) -> Manifest | None:
    """Return the object as it waits for its end, or None if it may go at once."""
    storage = call.resource.storage
    if storage == ("", "namespaces"):
        return _terminating_namespace(state, call, live)
    if storage == ("apiextensions.k8s.io", "customresourcedefinitions"):
        return _terminating_definition(state, live)
    metadata = dict(live["metadata"])
    finalizers = _finalizers(call, live, deletion)
    grace_s = _grace_of(call, live, deletion)
    if not finalizers and grace_s == 0:
        return None
    metadata["finalizers"] = finalizers
    if not finalizers:
        del metadata["finalizers"]
    if not metadata.get("deletionTimestamp"):
        if metadata.get("generation"):
            metadata["generation"] += 1
        metadata["deletionTimestamp"] = _later(state, grace_s)
        metadata["deletionGracePeriodSeconds"] = grace_s
    elif grace_s < metadata.get("deletionGracePeriodSeconds", 0):
        metadata["deletionTimestamp"] = _later(state, grace_s)
        metadata["deletionGracePeriodSeconds"] = grace_s
    held = {**live, "metadata": metadata}
    return None if released(held) else held


def _later(state: State, seconds: int) -> str:
    return (state.clock() + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _finalizers(call: Call, live: Manifest, deletion: Deletion) -> list[str]:
    """Return the finalizers that the deletion waits for: those there are, and the garbage collector's by the policy asked for."""
    present = list(live["metadata"].get("finalizers") or ())
    policy = deletion.policy
    if not policy:
        if ORPHAN in present or FOREGROUND in present:
            return present
        orphans = rules_of(call.resource.storage, custom=call.resource.custom is not None).orphans
        policy = "Orphan" if orphans else "Background"
        if orphans and call.resource.storage == ("batch", "jobs"):
            call.options.warnings.append(_JOB_WARNING)
    rest = [each for each in present if each not in {ORPHAN, FOREGROUND}]
    if policy == "Foreground":
        return [*rest, FOREGROUND]
    return [*rest, ORPHAN] if policy == "Orphan" else rest


def _grace_of(call: Call, live: Manifest, deletion: Deletion) -> int:
    """Return how long a pod that runs on a node may take to stop; everything else has no grace period."""
    if call.resource.storage != ("", "pods"):
        return 0
    spec, phase = live["spec"], live["status"].get("phase")
    if not spec.get("nodeName") or phase in {"Succeeded", "Failed"}:
        return 0
    if deletion.grace_s is not None:
        return deletion.grace_s
    return int(spec.get("terminationGracePeriodSeconds", 30))


def _terminating_namespace(state: State, call: Call, live: Manifest) -> Manifest | None:
    if call.name in {"default", "kube-system", "kube-public"}:
        text = f'namespaces "{call.name}" is forbidden: this namespace may not be deleted'
        raise ApiError(403, "Forbidden", text, details_of(call.resource, call.name))
    if live["metadata"].get("deletionTimestamp"):
        return live
    metadata = {**live["metadata"], "deletionTimestamp": state.now()}
    return {**live, "metadata": metadata, "status": {**live.get("status", {}), "phase": "Terminating"}}


def _terminating_definition(state: State, live: Manifest) -> Manifest:
    if live["metadata"].get("deletionTimestamp"):
        return live
    finalizers = [*(live["metadata"].get("finalizers") or ()), DEFINITION_CLEANUP]
    metadata = {**live["metadata"], "deletionTimestamp": state.now(), "finalizers": finalizers}
    condition = {
        "type": "Terminating",
        "status": "True",
        "lastTransitionTime": state.now(),
        "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    }
    conditions = [*(live["status"].get("conditions") or ()), condition]
    return {**live, "metadata": metadata, "status": {**live["status"], "conditions": conditions}}
