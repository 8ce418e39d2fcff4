"""Apply documents one after the other; the outcome of each is printed as it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outrider_cli.documents import Found, Place, name_of
from outrider_cli.failure import Failed, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from outrider_cli.hub import Hub

Outcome = dict[str, Any]
# file, document (its number), line, name, dryRun; then result and warnings, or error

DOCUMENT_MAX_BYTES = (1 << 20) - 4096
# One message of the bus, less what goes around the document in it.


async def apply_each(
    hub: Hub, documents: Sequence[Found], *, dry_run: bool, tell: Callable[[Outcome], None]
) -> list[Outcome]:
    """Apply what can be applied; return an outcome a document. A hub that is lost on the way ends the rest."""
    outcomes: list[Outcome] = []
    lost = ""
    for found in documents:
        place = {"file": found.place.file, "document": found.place.number, "line": found.place.line}
        outcome: Outcome = {**place, "name": name_of(found), "dryRun": dry_run}
        try:
            if lost:
                raise Refused(f"not tried: {lost}")
            outcome |= await _apply(hub, found, dry_run=dry_run)
        except Failed as error:
            outcome["error"] = error.format_message()
            lost = lost or ("" if isinstance(error, Refused) else "the hub was lost before")
        tell(outcome)
        outcomes.append(outcome)
    return outcomes


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


def place_of(outcome: Outcome) -> str:
    """Return where the document stands, as `shops.yaml:12 (document 2)`."""
    return str(Place(outcome["file"], outcome["document"], outcome["line"]))
