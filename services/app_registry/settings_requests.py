"""Requests about the settings that all clusters share: `hub.registry.settings.*`, and argocd-cm in `app.apply`."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from app_registry import arguments
from outrider import codec
from outrider.bus import WrongRevision
from outrider.bus.buckets import KeyValue
from outrider.bus.entries import current
from outrider.bus.jetstream import JetStream
from outrider.bus.services import Endpoint, RequestRefused
from outrider.records import SETTINGS_KEY, SettingsRecord
from outrider.spec.document import Document
from outrider.subjects import registry
from outrider.topology import SETTINGS

log = structlog.get_logger()

SPEC_MAX_BYTES = 256 << 10
# Every cluster gets all of it, at once, over its link.


class SettingsRequests:
    """Serves requests about settings."""

    def __init__(self, js: JetStream, clock: Callable[[], datetime]) -> None:
        self._js, self._clock = js, clock
        self._bucket = KeyValue(js, SETTINGS)

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint("settings-get", registry("settings.get"), self.get),
            Endpoint("settings-set", registry("settings.set"), self.set),
            Endpoint("settings-delete", registry("settings.delete"), self.delete),
        ]

    async def get(self, _request: dict[str, Any]) -> dict[str, Any]:
        """Return the settings. {} -> {manifest, customisations, time_zone, updated_at_ms}."""
        record, _ = await self._stored()
        return {
            "manifest": record.manifest,
            "customisations": record.customisations,
            "time_zone": record.time_zone,
            "updated_at_ms": record.updated_at_ms,
        }

    async def set(self, request: dict[str, Any]) -> dict[str, Any]:
        """Set the time zone of clusters that have none of their own; "" for none. {time_zone} -> {result}."""
        if "time_zone" not in request:
            raise RequestRefused("time_zone: give a time zone, as Europe/Berlin")
        record, revision = await self._stored()
        return await self._store(record, replace(record, time_zone=arguments.time_zone(request)), revision)

    async def delete(self, _request: dict[str, Any]) -> dict[str, Any]:
        """Take all settings back that all clusters share. {} -> {result}. A cluster's own time zone stays."""
        record, revision = await self._stored()
        return await self._store(record, SettingsRecord(), revision)

    async def apply(self, document: Document, *, dry_run: bool) -> dict[str, Any]:
        """Store what an argocd-cm says, in place of what one said before."""
        size = len(codec.canonical(document.settings))
        if size > SPEC_MAX_BYTES:
            raise RequestRefused(
                f"ConfigMap {document.name}: its customisations have {size >> 10} KiB, and every cluster gets all of them: "
                f"{SPEC_MAX_BYTES >> 10} KiB are allowed"
            )
        record, revision = await self._stored()
        wanted = replace(record, customisations=document.settings, manifest=document.manifest)
        answer = await self._store(record, wanted, revision, dry_run=dry_run)
        return {"kind": document.kind, "name": document.name, **answer, "warnings": document.warnings}

    async def ensure(self) -> None:
        """Have a record of settings, so that a cluster's own count. Idempotent."""
        record, revision = await self._stored()
        if not record.updated_at_ms:
            await self._store(record, record, revision)

    async def _stored(self) -> tuple[SettingsRecord, int]:
        entry = await current(self._js, SETTINGS, SETTINGS_KEY)
        return (SettingsRecord.unpack(entry.value) if entry.value else SettingsRecord()), entry.revision

    async def _store(
        self, before: SettingsRecord, wanted: SettingsRecord, revision: int, *, dry_run: bool = False
    ) -> dict[str, Any]:
        wanted = replace(wanted, updated_at_ms=before.updated_at_ms)
        if wanted == before and before.updated_at_ms:
            return {"result": "unchanged"}
        if not dry_run:
            stored = replace(wanted, updated_at_ms=int(self._clock().timestamp() * 1000))
            try:
                await self._bucket.replace(SETTINGS_KEY, stored.pack(), revision)
            except WrongRevision as error:
                raise RequestRefused(
                    "the settings were changed by somebody else at the same moment; look and try again"
                ) from error
            log.info("settings stored")
        return {"result": "updated" if before.updated_at_ms else "created"}
