"""Apply objects: all are checked by the hub first, and none is written if one of them is refused.

Both rounds go through the objects in the order of their dependence, several of one kind at a time. Writing is idempotent, so a
command that was cut short is repeated.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from outrider_cli.failure import Failed, Refused
from outrider_cli.kinds import APPLICATION, PROJECT, kind_of, named, tier_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from outrider_cli.documents import Found
    from outrider_cli.hub import Hub

Outcome = dict[str, Any]
# file, document (its number), line, item, object, name, dryRun; then result and warnings, or error

DEFAULT_PROJECT = "default"
DOCUMENT_MAX_BYTES = (1 << 20) // 3
# A message of the bus has a third of that for each of a document, the project that it is checked by, and what goes around them.
# The hub takes none above 256 KiB.
AT_A_TIME = 16
TAKEN_IN_WITHIN_S = 5.0
ASK_EVERY_S = 0.1


@dataclass(frozen=True)
class Applying:
    """What objects are applied with."""

    hub: Hub
    dry_run: bool
    user: str = ""
    # who asks
    projects: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    # those that are applied along with the applications in them, which are checked by them and not by those there are


def projects_in(manifests: Iterable[dict[str, Any] | None]) -> dict[str, dict[str, Any]]:
    """Return the projects among objects, by name."""
    return {
        str(one["metadata"]["name"]): one for one in manifests if one is not None and kind_of(one) is PROJECT
    }


def project_of(manifest: Mapping[str, Any], projects: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Return the project among `projects` that an application is in; None if it is in none of them."""
    spec = manifest.get("spec")
    if kind_of(manifest) is not APPLICATION or not isinstance(spec, dict):
        return None
    name = spec.get("project") or DEFAULT_PROJECT
    return projects.get(name) if isinstance(name, str) else None


async def apply_all(
    applying: Applying, objects: Sequence[Found], tell: Callable[[Outcome], None]
) -> list[Outcome]:
    """Apply objects, which are in order; return an outcome each. A hub that is lost on the way ends the rest."""
    dry_run = applying.dry_run
    outcomes: list[Outcome] = []
    lost = ""
    for batch in _batches(objects):
        if lost:
            found = [{**outline(one, dry_run=dry_run), "error": f"not tried: {lost}"} for one in batch]
        else:
            found = await _together(applying, batch)
            refused = {
                one["name"] for one in found if "error" in one and one["object"].startswith("project/")
            }
            kept = {name: one for name, one in applying.projects.items() if name not in refused}
            applying = replace(applying, projects=kept)
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


async def _together(applying: Applying, batch: list[Found]) -> list[Outcome]:
    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(_outcome(applying, one), name=f"apply {one.place}") for one in batch]
    return [one.result() for one in started]


async def _outcome(applying: Applying, found: Found) -> Outcome:
    outcome = outline(found, dry_run=applying.dry_run)
    try:
        return outcome | await _apply(applying, found)
    except Failed as error:
        lost = {} if isinstance(error, Refused) else {"lost": True}
        return {**outcome, "error": error.format_message(), **lost}


async def _apply(applying: Applying, found: Found) -> Outcome:
    if found.manifest is None:
        raise Refused(found.error)
    check_size(found.manifest)
    project = project_of(found.manifest, applying.projects)
    asked = {"manifest": found.manifest, "initiated_by": applying.user or None}
    if applying.dry_run:
        answer: dict[str, Any] = await applying.hub.registry(
            "app.apply", **asked, dry_run=True, project=project
        )
    elif project is None:
        answer = await applying.hub.registry("app.apply", **asked)
    else:
        answer = await _once_taken_in(applying.hub, asked)
    warnings = [*found.warnings, *(str(one) for one in answer.get("warnings") or ())]
    return {"name": str(answer["name"]), "result": str(answer["result"]), "warnings": warnings}


async def _once_taken_in(hub: Hub, asked: dict[str, Any]) -> dict[str, Any]:
    """Apply what its project, written just before, permits: the registry takes in what it has written a moment later."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + TAKEN_IN_WITHIN_S
    while True:
        try:
            return await hub.registry("app.apply", **asked)
        except Refused:
            if loop.time() > deadline:
                raise
            await asyncio.sleep(ASK_EVERY_S)


def check_size(manifest: dict[str, Any]) -> None:
    """Refuse an object that is too large for a message."""
    from outrider import codec

    size_bytes = len(codec.canonical(manifest))
    if size_bytes > DOCUMENT_MAX_BYTES:
        raise Refused(f"has {size_bytes} bytes, more than the {DOCUMENT_MAX_BYTES} that the hub takes")


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
