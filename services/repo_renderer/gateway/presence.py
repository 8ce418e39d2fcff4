"""Whether a pool's renderers are there, told to the registry: bucket `pool_presence`, written when it changes.

A renderer that is away for no longer than it takes to start it again, or to come to another gateway, is not said to be offline.
"""

import asyncio
import time

import structlog

from outrider.bus import BusError, NotFound
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.codec import MalformedMessage
from outrider.records import PoolPresenceRecord
from repo_renderer.gateway.bell import Bell, heard
from repo_renderer.gateway.turns import SILENCE_S, Turns

log = structlog.get_logger()

_A_MOMENT_S = 0.05


def decide(
    stored: PoolPresenceRecord | None, turns: Turns, now_s: float, now_ms: int
) -> PoolPresenceRecord | None:
    """Return what should be stored; None: nothing, since no renderer has ever been there."""
    renderers = [list(one) for one in turns.renderers(now_s)]
    was_online = stored is not None and stored.online
    if renderers:
        return PoolPresenceRecord(True, stored.since_ms if stored and was_online else now_ms, renderers)
    silent_s = now_s - turns.last_word_s
    if was_online and silent_s >= SILENCE_S:
        return PoolPresenceRecord(False, now_ms - round(silent_s * 1000))
    return stored


class Presence:
    """The loop, for one pool."""

    def __init__(self, pool: str, turns: Turns, changed: Bell, bucket: KeyValue, js: JetStream) -> None:
        """`changed` rings when a renderer comes or goes."""
        self._pool, self._turns, self._changed = pool, turns, changed
        self._bucket, self._js = bucket, js

    async def run(self) -> None:
        """Write until cancelled."""
        loop = asyncio.get_running_loop()
        stored = await self._stored()
        while True:
            rung = self._changed.listen()
            wanted = decide(stored, self._turns, loop.time(), time.time_ns() // 1_000_000)
            if wanted is not None and wanted != stored:
                if not await self._write(wanted):
                    continue
                stored = wanted
                # Somebody is gone, perhaps, whose turn another one waits for.
                self._changed.ring()
            await heard(rung, self._turns.next_silence_s(loop.time()) + _A_MOMENT_S)

    async def _write(self, record: PoolPresenceRecord) -> bool:
        try:
            await self._bucket.put(self._pool, record.pack())
        except BusError as error:
            log.warning("presence of a pool not stored", pool=self._pool, reason=str(error))
            await self._js.connection.pause()
            return False
        log.info(
            "pool online" if record.online else "pool offline", pool=self._pool, renderers=record.renderers
        )
        return True

    async def _stored(self) -> PoolPresenceRecord | None:
        while True:
            try:
                return PoolPresenceRecord.unpack((await self._bucket.get(self._pool)).value)
            except (NotFound, MalformedMessage):
                return None
            except BusError as error:
                log.warning("presence of a pool not read", pool=self._pool, reason=str(error))
                await self._js.connection.pause()
