"""What the hub was told of one application: its status document, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outrider import subjects
from outrider_cli import freshness
from outrider_cli.failure import Failed, note

if TYPE_CHECKING:
    from datetime import datetime

    from outrider_cli.hub import Hub


WORD = (
    "name", "cluster", "freshness", "presence", "observed_at_ms", "received_at_ms", "heard_at_ms", "age_s",
)  # fmt: skip
# Of whom an answer is, and how far it may be trusted.


async def seen(hub: Hub, name: str) -> dict[str, Any]:
    """Return an application's status with its document."""
    found = dict(await hub.status("app", name=name))
    if found.get("truncated"):
        # Too many objects for one answer.
        pages = hub.pages(subjects.status_query("resources"), name=name)
        found["document"] = {
            **(found.get("document") or {}),
            "resources": [dict(item) async for item in pages],
        }
    return found


def document_of(item: dict[str, Any]) -> dict[str, Any]:
    """Return the status document; {} if the cluster has not sent any."""
    return item.get("document") or {}


def with_word(item: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return what was asked for, for programs, with how far it may be trusted."""
    return {**{field: item.get(field) for field in WORD}, **more}


def note_age(item: dict[str, Any], now: datetime) -> None:
    """Say how old a status is, where it is not fresh."""
    if not freshness.is_fresh(item):
        note(f"note: the last that was heard: {freshness.sentence(item, now)}")


async def known(hub: Hub, name: str) -> dict[str, Any]:
    """Return an application's status; Failed where no cluster has said anything of it."""
    item = await seen(hub, name)
    if not document_of(item):
        raise Failed(f"nothing has been heard of application {name!r} yet: its cluster has not reported it")
    return item
