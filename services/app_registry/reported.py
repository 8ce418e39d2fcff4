"""What the aggregator knows of an application: how far its cluster's word may be trusted, and the last status document."""

from dataclasses import dataclass, field
from typing import Any

import structlog

from outrider.bus import BusError, Connection
from outrider.bus.services import RequestRefused, ask
from outrider.names import AppName
from outrider.subjects import status_query

log = structlog.get_logger()

TIMEOUT_S = 5.0
RESOURCES_MAX = 20_000
# Of one application; no edge reports more.
_WORD = ("freshness", "presence", "observed_at_ms", "received_at_ms", "heard_at_ms", "age_s")


@dataclass(frozen=True)
class Reported:
    """An answer of `hub.status.app`; empty where there is none."""

    item: dict[str, Any] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)
    # empty: nothing was ever heard of the application

    @property
    def word(self) -> dict[str, Any]:
        """How far it may be trusted, as every answer says."""
        unknown = {"freshness": "unknown", "presence": "unknown", "age_s": None}
        return {field: self.item.get(field, unknown.get(field, 0)) for field in _WORD}

    @property
    def resources(self) -> list[dict[str, Any]]:
        """The application's objects, as its cluster told them last."""
        return [one for one in self.document.get("resources") or () if isinstance(one, dict)]

    @property
    def received_at_ms(self) -> int:
        """When the document was heard."""
        return int(self.item.get("received_at_ms") or 0)


async def reported(connection: Connection, app: AppName) -> Reported:
    """Ask the aggregator. Where it gives no answer, nothing is known."""
    try:
        item = await ask(connection, status_query("app"), {"name": app}, timeout_s=TIMEOUT_S)
        document = item.pop("document", None) or {}
        if item.pop("truncated", False):
            document["resources"] = await _resources(connection, app)
    except (RequestRefused, BusError) as error:
        log.warning("no status of an application to be had", app=app, reason=str(error))
        return Reported()
    return Reported(item, document)


async def _resources(connection: Connection, app: AppName) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None and len(found) < RESOURCES_MAX:
        asked = {"name": app, "after": after}
        page = await ask(connection, status_query("resources"), asked, timeout_s=TIMEOUT_S)
        found += page["items"]
        after = page["next"]
    return found
