"""What a tree says of an object beside its place: health, images, a few words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.applications.inventory import images_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.health import Checks, Health
    from edge_agent.tree.relative import Relative


@dataclass(frozen=True, slots=True)
class Detail:
    """Read from a whole object, which isn't kept."""

    health: Health | None
    images: tuple[str, ...] = ()
    info: tuple[tuple[str, str], ...] = ()


def has_detail(one: Relative, checks: Checks) -> bool:
    """Say whether the whole object says more than its metadata: its kind has a check."""
    return not one.deleting and checks.judges(one.key.group, one.key.kind)


def detail_of(one: Relative, found: Mapping[str, Any], checks: Checks) -> Detail:
    """Read it."""
    info = _pod_info(found) if (one.key.group, one.key.kind) == ("", "Pod") else ()
    health = checks.check(one.key.group, one.key.kind, found)
    return Detail(health, tuple(sorted(set(images_of(found)))), info)


def revision_info(one: Relative) -> tuple[tuple[str, str], ...]:
    """Say which revision of its Deployment a ReplicaSet is."""
    return (("Revision", f"Rev:{one.revision}"),) if one.revision and one.key.kind == "ReplicaSet" else ()


def _pod_info(found: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    spec, status = found.get("spec") or {}, found.get("status") or {}
    states = status.get("containerStatuses") or ()
    ready = sum(1 for state in states if state.get("ready"))
    restarts = sum(int(state.get("restartCount") or 0) for state in states)
    reasons = [_reason(state) for state in (*(status.get("initContainerStatuses") or ()), *states)]
    reason = next((reason for reason in reasons if reason), "") or status.get("reason") or status.get("phase")
    info = [
        ("Status Reason", str(reason or "")),
        ("Node", str(spec.get("nodeName") or "")),
        ("Containers", f"{ready}/{len(spec.get('containers') or ())}"),
        ("Restart Count", str(restarts) if restarts else ""),
    ]
    return tuple((name, value) for name, value in info if value)


def _reason(state: Mapping[str, Any]) -> str:
    """Return why a container doesn't run; one that ended well needs no reason."""
    held = state.get("state") or {}
    waiting, ended = held.get("waiting") or {}, held.get("terminated") or {}
    reason = str(waiting.get("reason") or ended.get("reason") or "")
    return "" if reason == "Completed" else reason
