"""One of several replicas works at a time: a lease in a bucket, taken and renewed by compare-and-set.

No clocks are compared. Who waits watches the lease's revision: when it has not changed for the lease's time by its own
clock, the holder is gone and the lease is taken. Who holds it renews it after a quarter of that time, and stops working when
three quarters have passed without success. A process that is asked to stop gives the lease back, so its successor need
not wait; one that was killed and starts again under the same name (one host runs one replica) takes it at once.

What is left: a process that was frozen and wakes after its lease ran out may write once more before it notices. Whoever uses a
lease must bear that.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import ClassVar

import structlog

from outrider.bus.buckets import KeyValue
from outrider.bus.entries import Current, current
from outrider.bus.errors import BusError, WrongRevision
from outrider.bus.jetstream import JetStream
from outrider.codec import MalformedMessage, Message
from outrider.tasks import background
from outrider.topology import Bucket

log = structlog.get_logger()

GIVE_BACK_WITHIN_S = 2.0
NEVER = -1


class LeaseLost(Exception):
    """Another replica works, or may by now: stop, and wait for the lease again."""


@dataclass(frozen=True)
class Holder(Message):
    """Who holds a lease."""

    VERSION: ClassVar[int] = 1
    name: str
    # outlives the process
    instance: str = ""
    # of the process alone


class Lease:
    """A lease, seen from one process. It may be held again after it was lost."""

    def __init__(self, js: JetStream, bucket: Bucket, key: str, holder: Holder, *, ttl_s: float) -> None:
        """`ttl_s`: a holder that was killed is replaced after this; one that is asked to stop, at once."""
        self._js, self._in, self._key = js, bucket, key
        self._bucket = KeyValue(js, bucket)
        self._holder, self._ttl_s = holder, ttl_s
        self._revision = 0
        # of the last own write: by one that was only seen, the lease would be taken from another
        self._held_until_s = 0.0
        self._is_first_term = True

    @property
    def is_valid(self) -> bool:
        """Whether nobody else can hold it at this moment."""
        return asyncio.get_running_loop().time() < self._held_until_s

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Wait for the lease, hold it for the block, give it back. LeaseLost ends the block when it is lost."""
        await self._take()
        log.info("this replica works from here on", lease=self._in.name, holder=self._holder.name)
        try:
            async with background(self._renew(), name="renew the lease"):
                yield
        finally:
            await self._give_back()

    async def _take(self) -> None:
        """Return once the lease is ours."""
        silent = NEVER
        while True:
            try:
                seen = await current(self._js, self._in, self._key)
                if self._is_free(seen) or seen.revision == silent:
                    await self._write(seen.revision)
                    self._is_first_term = False
                    return
                log.info(
                    "another replica works; waiting", lease=self._in.name, holder=_holder(seen.value).name
                )
                silent = await self._silent_revision(seen.revision)
            except WrongRevision:
                continue
            except BusError as error:
                log.warning("lease not taken", lease=self._in.name, reason=str(error))
                await self._js.connection.pause()

    def _is_free(self, seen: Current) -> bool:
        if seen.value is None:
            return True
        holder = _holder(seen.value)
        # The same process: its write was acknowledged to nobody.
        return holder == self._holder or (self._is_first_term and holder.name == self._holder.name)

    async def _silent_revision(self, revision: int) -> int:
        """Watch the lease until it is given back, or not renewed for its time; return the last revision seen.

        The caller looks again: what was silent for us only, because our connection was lost, has another revision by then.
        """
        watching = self._bucket.watch(self._key)
        async with aclosing(watching):  # type: ignore[type-var]
            with suppress(TimeoutError):
                while True:
                    async with asyncio.timeout(self._ttl_s):
                        changes = (await anext(watching)).changes
                    revision = changes[-1].revision if changes else revision
                    if changes and changes[-1].value is None:
                        break
        return revision

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(self._ttl_s / 4, max(0.0, self._held_until_s - loop.time())))
            try:
                async with asyncio.timeout_at(self._held_until_s):
                    await self._write_again()
            except (BusError, TimeoutError) as error:
                if not self.is_valid:
                    raise LeaseLost("the lease could not be renewed in time") from error
                log.warning("lease not renewed", lease=self._in.name, reason=str(error))

    async def _write_again(self) -> None:
        try:
            await self._write(self._revision)
        except WrongRevision as error:
            seen = await current(self._js, self._in, self._key)
            if seen.value is None or _holder(seen.value) != self._holder:
                self._held_until_s = 0.0
                raise LeaseLost("another replica has taken the lease") from error
            # Our own renewal, whose acknowledgement was lost.
            self._revision = seen.revision

    async def _write(self, revision: int) -> None:
        # From before the write: who waits may have seen it as early as that.
        begun_s = asyncio.get_running_loop().time()
        self._revision = await self._bucket.replace(self._key, self._holder.pack(), revision)
        self._held_until_s = begun_s + 0.75 * self._ttl_s

    async def _give_back(self) -> None:
        """Let another one begin at once; nothing happens where one has begun."""
        if not self.is_valid:
            return
        self._held_until_s = 0.0
        with suppress(BusError, TimeoutError):
            async with asyncio.timeout(GIVE_BACK_WITHIN_S):
                await self._bucket.delete(self._key, self._revision)


def _holder(value: bytes | None) -> Holder:
    """Return who holds a lease; nobody known, if another version wrote it."""
    try:
        return Holder.unpack(value or b"")
    except MalformedMessage:
        return Holder("")
