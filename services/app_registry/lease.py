"""One registry works at a time: a lease in bucket `registry`, taken and renewed by compare-and-set.

No clocks are compared. Who waits watches the lease's revision: when it has not changed for the lease's time by its own
clock, the holder is gone and the lease is taken. Who holds it renews it after a quarter of that time, and stops working when
three quarters have passed without success. A registry that is asked to stop gives the lease back, so its successor need
not wait; one that was killed and starts again under the same name (one host runs one registry) takes it at once.

What is left: a process that was frozen and wakes after its lease ran out may write once more before it notices. Its record's
number is then no longer above the one that the edge holds, the edge refuses it, and the registry that works sees it in the
stream and writes the right record above it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import NamedTuple

import structlog

from app_registry.entries import Current, current
from outrider import codec
from outrider.bus import BusError, WrongRevision
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.tasks import background
from outrider.topology import REGISTRY

log = structlog.get_logger()

KEY = "lease"
TTL_S = 8.0
# A registry that was killed is replaced after this; one that is asked to stop, at once.
GIVE_BACK_WITHIN_S = 2.0
FREE = ""
_FREED = codec.canonical([FREE, ""])
NEVER = -1


class LeaseLost(Exception):
    """Another registry works now, or the bus was away for too long: stop, and wait for the lease again."""


class Holder(NamedTuple):
    """Who holds the lease: a name that outlives the process, and a mark of the process."""

    name: str
    instance: str


class Lease:
    """The lease, seen from one process."""

    def __init__(self, js: JetStream, holder: Holder, *, take_over: bool, ttl_s: float = TTL_S) -> None:
        """`take_over`: the lease of a process of the same name is taken at once. Only for a process's first term."""
        self._js, self._holder, self._take_over, self._ttl_s = js, holder, take_over, ttl_s
        self._bucket = KeyValue(js, REGISTRY)
        self._revision = 0

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Wait for the lease, hold it for the block, give it back. LeaseLost out of the block when it is lost."""
        await self._take()
        log.info("this registry works from here on", holder=self._holder.name)
        try:
            async with background(self._renew(), name="renew the lease"):
                yield
        except LeaseLost:
            raise
        except BaseException:
            await self._give_back()
            raise
        else:
            await self._give_back()

    async def _take(self) -> None:
        """Return once the lease is ours."""
        silent = NEVER
        while True:
            try:
                seen = await current(self._js, REGISTRY, KEY)
                if self._is_free(seen) or seen.revision == silent:
                    self._revision = await self._bucket.replace(KEY, self._value(), seen.revision)
                    return
                log.info("another registry works; waiting", holder=codec.unpack(seen.value or b"")[0])
                silent = await self._silent_revision(seen.revision)
            except WrongRevision:
                continue
            except BusError as error:
                log.warning("lease not taken", reason=str(error))
                await self._js.connection.pause()

    def _is_free(self, seen: Current) -> bool:
        if seen.value is None:
            return True
        name = codec.unpack(seen.value)[0]
        return name == FREE or (self._take_over and name == self._holder.name)

    async def _silent_revision(self, revision: int) -> int:
        """Watch the lease until it is given back, or not renewed for its time; return the last revision seen.

        The caller looks again: what was silent for us only, because our connection was lost, has another revision by then.
        """
        watching = self._bucket.watch(KEY)
        async with aclosing(watching):  # type: ignore[type-var]
            with suppress(TimeoutError):
                while True:
                    async with asyncio.timeout(self._ttl_s):
                        changes = (await anext(watching)).changes
                    revision = changes[-1].revision if changes else revision
                    if changes and changes[-1].value == _FREED:
                        break
        return revision

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        held_until_s = loop.time() + 0.75 * self._ttl_s
        while True:
            await asyncio.sleep(min(self._ttl_s / 4, held_until_s - loop.time()))
            begun_s = loop.time()
            try:
                async with asyncio.timeout_at(held_until_s):
                    await self._write()
            except (BusError, TimeoutError) as error:
                if loop.time() >= held_until_s:
                    raise LeaseLost("the lease could not be renewed in time") from error
                log.warning("lease not renewed", reason=str(error))
            else:
                # From before the write: who waits may have seen it as early as that.
                held_until_s = begun_s + 0.75 * self._ttl_s

    async def _write(self) -> None:
        try:
            self._revision = await self._bucket.replace(KEY, self._value(), self._revision)
        except WrongRevision as error:
            seen = await current(self._js, REGISTRY, KEY)
            if seen.value != self._value():
                raise LeaseLost("another registry has taken the lease") from error
            # Our own renewal, whose acknowledgement was lost.
            self._revision = seen.revision

    async def _give_back(self) -> None:
        with suppress(BusError, TimeoutError):
            async with asyncio.timeout(GIVE_BACK_WITHIN_S):
                await self._bucket.replace(KEY, _FREED, self._revision)

    def _value(self) -> bytes:
        return codec.canonical(list(self._holder))
