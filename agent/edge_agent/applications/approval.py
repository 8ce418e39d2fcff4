"""Has somebody confirmed that an object may be deleted? By the command `approve`, or as in Argo CD by an
annotation on the application with a time after the beginning of what waits for it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_agent.applications.state import State
    from edge_agent.cluster import Key

ANNOTATION = "argocd.argoproj.io/deletion-approved"


def is_approved(key: Key, state: State) -> bool:
    """Say whether the deletion of an object, in the sync or removal under way, is approved."""
    progress = state.progress
    if progress is None:
        return False
    return progress.approved(key) or _is_annotated(state, (progress.operation or {}).get("startedAt"))


def _is_annotated(state: State, since: str | None) -> bool:
    given = _time(state.desired.annotations.get(ANNOTATION) if state.desired else None)
    began = _time(since)
    return given is not None and began is not None and given > began


def _time(text: str | None) -> datetime | None:
    """Read an RFC 3339 time; one without a zone is UTC."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found
