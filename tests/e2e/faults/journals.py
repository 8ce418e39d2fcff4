"""The journal of an edge as the hub tells it: each entry once, none missing, and what is still on the edge's disk says the same."""

from typing import Any

from tests.e2e.faults.edge_side import Replica

from outrider import subjects
from outrider.bus.services import ask
from outrider_playground.demo.hub import Hub

PAGE = 500


async def told(hub: Hub, cluster: str) -> list[dict[str, Any]]:
    """Return all that the hub tells of a cluster, oldest first."""
    entries: list[dict[str, Any]] = []
    before = None
    while True:
        asked = {"cluster": cluster, "before": before, "limit": PAGE}
        answer = await ask(hub.connection, subjects.status_query("journal"), asked)
        entries = answer["items"] + entries
        before = answer["previous"]
        if not before:
            return entries


async def journal_differences(hub: Hub, cluster: str, replica: Replica) -> list[str]:
    """Return what is missing, doubled or told otherwise."""
    found = []
    reached: dict[int, int] = {}
    heard: dict[int, dict[str, Any]] = {}
    newest = 0
    for entry in await told(hub, cluster):
        epoch, seq = entry["place"]
        last = entry["detail"]["to"] if entry["kind"] == "gap" else seq
        if seq != reached.get(epoch, 0) + 1:
            found.append(f"{cluster}: journal entry {seq} of {epoch} comes after {reached.get(epoch, 0)}")
        reached[epoch] = last
        if epoch >= newest:
            heard = {} if epoch > newest else heard
            newest = epoch
            heard[seq] = entry
    for mine in replica.journal:
        if mine.seq > replica.journal_sent or mine.kind == "gap":
            continue
        theirs = heard.get(mine.seq)
        if theirs is None or (theirs["app"], theirs["kind"], theirs["detail"]) != (
            mine.app,
            mine.kind,
            mine.detail,
        ):
            found.append(f"{cluster}: journal entry {mine.seq} ({mine.kind} {mine.app}) is told as {theirs}")
    return found
