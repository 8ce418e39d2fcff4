"""What the agent says of itself on its site: the link, what the hub has acknowledged, holds, applications and what they wait for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge_agent.hold.model import told
from outrider.version import VERSION

if TYPE_CHECKING:
    from edge_agent.applications import Applications
    from edge_agent.edge import Edge
    from edge_agent.hold.keeper import Keeper
    from edge_agent.settings import Settings


def status(edge: Edge, applications: Applications, keeper: Keeper, settings: Settings) -> dict[str, Any]:
    """Return it. What the hub is told of the site stands in `about`, as it stands now, sent or not."""
    about = edge.about.document()
    replica, complete = edge.replica, edge.replica.holdings.complete
    return {
        "cluster": edge.name,
        "version": VERSION,
        "now": told(edge.now()),
        "state": str(settings.state),
        "link": {
            "connected": edge.connection.is_connected,
            "since": told(edge.link_turned_at),
            "acknowledged_at": _acknowledged(edge),
            "generation": list(complete),
            "waiting": edge.outbound.waiting,
        },
        "journal": {
            "bytes": replica.journal.size_bytes, "sent": replica.journal.sent, "all_sent": replica.journal.is_sent,
        },
        "hold": {"standing": keeper.listed(), "problems": keeper.problems()},
        "about": {name: value for name, value in about.items() if name != "hold"},
        "applications": [_application(app, applications) for app in applications.names()],
    }  # fmt: skip


def _acknowledged(edge: Edge) -> str | None:
    at_s = edge.outbound.acknowledged_at_s
    return None if at_s is None else told(datetime.fromtimestamp(at_s, UTC))


def _application(app: str, applications: Applications) -> dict[str, Any]:
    document = applications.document(app) or {}
    operation = document.get("operationState") or {}
    conditions = document.get("conditions") or []
    return {
        "name": app,
        "sync": (document.get("sync") or {}).get("status") or "Unknown",
        "health": (document.get("health") or {}).get("status") or "Unknown",
        "revision": (document.get("sync") or {}).get("revision") or "",
        "operation": {name: operation[name] for name in _OPERATION if name in operation},
        "waits_for": _waits_for(operation, conditions),
        "conditions": conditions,
        "history": [_entry(entry) for entry in document.get("history") or ()],
    }


def _waits_for(operation: dict[str, Any], conditions: list[dict[str, str]]) -> str:
    """Return what the application waits for, in words: its operation's, else what a condition says; empty: for nothing."""
    if operation.get("phase") == "Running":
        return str(operation.get("message") or "")
    return "; ".join(one["message"] for one in conditions if "waits" in one["message"])


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: entry.get(name) for name in ("id", "revision", "deployedAt", "initiatedBy")}


_OPERATION = ("phase", "message", "startedAt", "finishedAt")
