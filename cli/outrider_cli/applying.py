"""Apply objects: all are checked by the hub first, and none is written if one of them is refused.

Both rounds go through the objects in the order of their dependence, several of one kind at a time. Writing is idempotent, so a
command that was cut short is repeated.
"""

from __future__ import annotations

import asyncio
from itertools import groupby
from typing import TYPE_CHECKING, Any

from outrider_cli.failure import Failed, Refused
from outrider_cli.kinds import named, tier_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from outrider_cli.documents import Found
    from outrider_cli.hub import Hub

Outcome = dict[str, Any]
# file, document (its number), line, item, object, name, dryRun; then result and warnings, or error

DOCUMENT_MAX_BYTES = (1 << 20) - 4096
# One message of the bus, less what goes around the document in it.
AT_A_TIME = 16


async def apply_all(
    hub: Hub, objects: Sequence[Found], *, dry_run: bool, tell: Callable[[Outcome], None]
) -> list[Outcome]:
    """Apply objects, which are in order; return an outcome each. A hub that is lost on the way ends the rest."""
    outcomes: list[Outcome] = []
    lost = ""
    for batch in _batches(objects):
        if lost:
            found = [{**outline(one, dry_run=dry_run), "error": f"not tried: {lost}"} for one in batch]
        else:
            found = await _together(hub, batch, dry_run=dry_run)
            lost = "the hub was lost before" if any(one.pop("lost", False) for one in found) else ""
        for outcome in found:
            tell(outcome)
        outcomes += found
    return outcomes


def _batches(objects: Sequence[Found]) -> Iterator[list[Found]]:
    for _, tier in groupby(objects, key=tier_of):
        same = list(tier)
        for start in range(0, len(same), AT_A_TIME):
            yield same[start : start + AT_A_TIME]


async def _together(hub: Hub, batch: list[Found], *, dry_run: bool) -> list[Outcome]:
    async with asyncio.TaskGroup() as tasks:
        started = [
            tasks.create_task(_outcome(hub, one, dry_run=dry_run), name=f"apply {one.place}") for one in batch
        ]
    return [one.result() for one in started]


async def _outcome(hub: Hub, found: Found, *, dry_run: bool) -> Outcome:
    outcome = outline(found, dry_run=dry_run)
    try:
        return outcome | await _apply(hub, found, dry_run=dry_run)
    except Failed as error:
        lost = {} if isinstance(error, Refused) else {"lost": True}
        return {**outcome, "error": error.format_message(), **lost}


async def _apply(hub: Hub, found: Found, *, dry_run: bool) -> Outcome:
    from outrider import codec

    if found.manifest is None:
        raise Refused(found.error)
    size_bytes = len(codec.canonical(found.manifest))
    if size_bytes > DOCUMENT_MAX_BYTES:
        raise Refused(f"has {size_bytes} bytes, more than the {DOCUMENT_MAX_BYTES} that the hub takes")
    answer = await hub.registry("app.apply", manifest=found.manifest, dry_run=dry_run or None)
    warnings = [*found.warnings, *(str(one) for one in answer.get("warnings") or ())]
    return {"name": str(answer["name"]), "result": str(answer["result"]), "warnings": warnings}


def outline(found: Found, *, dry_run: bool) -> Outcome:
    """Return an outcome without what came of it; with the error of an object that could not be read."""
    place, manifest = found.place, found.manifest
    return {
        "file": place.file,
        "document": place.number,
        "line": place.line,
        **({"item": place.item} if place.item else {}),
        "object": named(manifest) if manifest else "",
        "name": str(manifest["metadata"]["name"]) if manifest else "",
        "dryRun": dry_run,
        **({"error": found.error} if found.error else {}),
    }
