"""Access reviews: may this user do that? Everything is allowed but what the injected faults forbid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..faults import USER
from ..options import Call

if TYPE_CHECKING:
    from ..faults import Faults
    from ..state import State
    from ..values import Manifest

_GROUPS = {"authorization.k8s.io", "authentication.k8s.io"}


def is_review(call: Call) -> bool:
    """Tell whether a call asks rather than changes."""
    return call.resource.group in _GROUPS


def review(state: State, faults: Faults, call: Call, value: Manifest) -> Manifest:
    """Answer a review."""
    spec = value.get("spec") or {}
    kind = call.resource.kind
    if kind == "SelfSubjectReview":
        status: Manifest = {"userInfo": {"username": USER, "groups": ["system:authenticated"]}}
    elif kind == "TokenReview":
        status = {"authenticated": True, "user": {"username": USER}}
    elif kind == "SelfSubjectRulesReview":
        everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        status = {"resourceRules": [everything], "nonResourceRules": [], "incomplete": False}
    else:
        status = {"allowed": not _forbidden(state, faults, spec.get("resourceAttributes") or {})}
    head = {"kind": kind, "apiVersion": call.resource.api_version, "metadata": value.get("metadata") or {}}
    return {**head, "spec": spec, "status": status}


def _forbidden(state: State, faults: Faults, asked: dict[str, str]) -> bool:
    group, plural = asked.get("group", ""), asked.get("resource", "")
    for version in state.catalog.versions(group):
        resource = state.catalog.find(group, version, plural)
        if resource is not None:
            call = Call(resource, asked.get("namespace", ""), asked.get("name", ""))
            return faults.forbids(asked.get("verb", ""), call)
    return False
