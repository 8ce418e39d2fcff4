"""Why applications are not at their newest revision, as far as the hub knows: bucket `conditions`, one record an application.

Written when it changes. The record also says where an application runs: there is none as long as nothing is wrong and the
application names its cluster, as most do.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from app_registry.desired import Condition
from app_registry.fleet import Fleet
from outrider.bus.buckets import KeyValue
from outrider.names import AppName, ClusterName, token
from outrider.records import ConditionsRecord


class Conditions:
    """Writes conditions."""

    def __init__(self, bucket: KeyValue, fleet: Fleet, clock: Callable[[], datetime]) -> None:
        self._bucket, self._fleet, self._clock = bucket, fleet, clock

    async def note(self, app: AppName, cluster: ClusterName | None, conditions: Sequence[Condition]) -> None:
        """Store what holds at this moment, if it is not what is stored."""
        stored = self._fleet.conditions.get(app)
        since = {(one["type"], one["message"]): one["since"] for one in stored.conditions} if stored else {}
        found: list[Any] = [
            {
                "type": one.type,
                "message": one.message,
                "since": since.get((one.type, one.message)) or self._now(),
            }
            for one in conditions
        ]
        record = ConditionsRecord(found, cluster or "")
        if stored is None and not found and self._is_named(app, cluster):
            return
        if record != stored:
            await self._bucket.put(token(app), record.pack())
            self._fleet.conditions[app] = record

    def _is_named(self, app: AppName, cluster: ClusterName | None) -> bool:
        """Whether an application says by itself where it runs."""
        known = self._fleet.applications.get(app)
        return known is not None and known.destination.cluster == cluster

    async def forget(self, app: AppName) -> None:
        """Drop the record of an application that is gone."""
        if app in self._fleet.conditions:
            await self._bucket.delete(token(app))
            self._fleet.conditions.pop(app, None)

    def _now(self) -> str:
        return self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
