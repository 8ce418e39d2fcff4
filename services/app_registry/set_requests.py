"""Requests about application sets: `hub.registry.set.*`, and ApplicationSets in `app.apply`. They are stored, and generate nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from app_registry import arguments
from app_registry.fleet import Fleet
from outrider.bus import WrongRevision
from outrider.bus.buckets import KeyValue
from outrider.bus.entries import current
from outrider.bus.jetstream import JetStream
from outrider.bus.services import Endpoint, RequestRefused
from outrider.names import token
from outrider.records import SetRecord
from outrider.spec.document import Document
from outrider.subjects import registry
from outrider.topology import SETS

log = structlog.get_logger()


class SetRequests:
    """Serves requests about application sets."""

    def __init__(self, js: JetStream, fleet: Fleet, clock: Callable[[], datetime]) -> None:
        self._js, self._fleet, self._clock = js, fleet, clock
        self._bucket = KeyValue(js, SETS)

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint("set-list", registry("set.list"), self.list),
            Endpoint("set-get", registry("set.get"), self.get),
            Endpoint("set-delete", registry("set.delete"), self.delete),
        ]

    async def apply(self, document: Document, *, dry_run: bool) -> dict[str, Any]:
        """Store an ApplicationSet."""
        name = document.name
        entry = await current(self._js, SETS, token(name))
        stored = SetRecord.unpack(entry.value) if entry.value is not None else None
        answer = {"kind": document.kind, "name": name, "warnings": document.warnings}
        if stored is not None and stored.manifest == document.manifest:
            return {**answer, "result": "unchanged"}
        if not dry_run:
            now_ms = int(self._clock().timestamp() * 1000)
            kept = stored or SetRecord(name, {}, now_ms, now_ms)
            record = replace(kept, manifest=document.manifest, updated_at_ms=now_ms)
            try:
                await self._bucket.replace(token(name), record.pack(), entry.revision)
            except WrongRevision as error:
                raise RequestRefused(
                    f"application set {name!r} was changed by somebody else at the same moment; look and try again"
                ) from error
            log.info("application set stored", set=name)
        return {**answer, "result": "created" if stored is None else "updated"}

    async def list(self, request: dict[str, Any]) -> dict[str, Any]:
        """List application sets by name. {after?, limit?} -> {items, next}."""
        after, limit = arguments.page(request)
        names = [name for name in sorted(self._fleet.sets) if name > after][: limit + 1]
        return arguments.paged([_item(self._fleet.sets[name]) for name in names], limit, "name")

    async def get(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return one application set. {name} -> {name, manifest}."""
        name = arguments.named(request, "application set")
        return {"name": name, "manifest": (await self._stored(name)).manifest}

    async def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """Forget an application set; no application goes with it. {name} -> {name, result}."""
        name = arguments.named(request, "application set")
        await self._stored(name)
        await self._bucket.delete(token(name))
        log.info("application set removed", set=name)
        return {"name": name, "result": "removed"}

    async def _stored(self, name: str) -> SetRecord:
        entry = await current(self._js, SETS, token(name))
        if entry.value is None:
            raise RequestRefused(f"there is no application set {name!r}")
        return SetRecord.unpack(entry.value)


def _item(record: SetRecord) -> dict[str, Any]:
    spec = record.manifest["spec"]
    return {
        "name": record.name,
        "project": spec["template"]["spec"].get("project", ""),
        "generators": [next(key for key in one if key != "selector") for one in spec["generators"]],
        "created_at_ms": record.created_at_ms,
    }
