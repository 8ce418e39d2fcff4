"""Which of several aggregators folds: one at a time, the others answer queries and stand by.

The holder renews a key; whoever has seen no renewal for the whole term takes it over, by a write that holds only if nobody else wrote.
No clocks are compared: the holder counts from before its write, a candidate from after it saw it. The successor of a holder that died
(same instance name) need not wait: it is the same one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import structlog

from outrider.bus import BusError, WrongRevision
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.codec import MalformedMessage, Message
from outrider.tasks import background
from outrider.topology import STATUSES
from status_aggregator.bulk import delete
from status_aggregator.records import WRITER

log = structlog.get_logger()

TERM_S = 9.0
# A holder that is silent for longer is replaced. A renewal is one small write each third of it.
RELEASE_WITHIN_S = 2.0
_EXPECTED = "Nats-Expected-Last-Subject-Sequence"


class LeaseLost(Exception):
    """Another aggregator folds, or may by now: stop writing at once."""


@dataclass(frozen=True)
class Holder(Message):
    """Who folds."""

    VERSION: ClassVar[int] = 1
    instance: str
    # a name that survives a restart of the process
    term: str = ""
    # of this process alone


class _Seen(NamedTuple):
    """The key as the bucket has it."""

    revision: int
    holder: Holder | None


class Lease:
    """One aggregator's claim."""

    def __init__(self, js: JetStream, instance: str, term: str, term_s: float = TERM_S) -> None:
        self._js, self._bucket, self._term_s = js, KeyValue(js, STATUSES), term_s
        self._me = Holder(instance, term)
        self._seen: _Seen | None = None
        # None: not known yet
        self._changed = asyncio.Event()
        self._revision = 0
        # of the last own write
        self._valid_until_s = 0.0
        self._is_first = True

    @property
    def is_valid(self) -> bool:
        """Whether nobody else can hold it at this moment."""
        return asyncio.get_running_loop().time() < self._valid_until_s

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Wait until this process may fold; inside the block it may. LeaseLost ends the block."""
        async with background(self._watch(), name="watch lease"):
            await self._acquired()
            log.info("this aggregator folds", instance=self._me.instance)
            try:
                async with background(self._renew(), name="renew lease"):
                    yield
            finally:
                await self._release()

    async def _watch(self) -> None:
        watching = self._bucket.watch(WRITER)
        async with aclosing(watching):  # type: ignore[type-var]
            async for changes in watching:
                for change in changes.changes:
                    self._seen = _Seen(change.revision, _holder(change.value))
                if not changes.changes and self._seen is None:
                    self._seen = _Seen(0, None)
                self._changed.set()

    async def _acquired(self) -> None:
        """Wait until the lease is this process's."""
        while True:
            self._changed.clear()
            if (seen := self._seen) is not None and self._is_free(seen.holder) and await self._taken(seen):
                return
            try:
                async with asyncio.timeout(self._term_s):
                    await self._changed.wait()
            except TimeoutError:
                if self._seen is not None:
                    # Whoever it was has said nothing for a whole term.
                    self._seen = _Seen(self._seen.revision, None)

    async def _taken(self, seen: _Seen) -> bool:
        """Try to take the lease."""
        try:
            await self._write(seen.revision)
        except WrongRevision:
            log.info("another aggregator was faster")
            self._seen = None if self._seen is seen else self._seen
        except BusError as error:
            log.warning("lease not written", reason=str(error))
            await self._js.connection.pause()
            await self._js.connection.wait_connected()
            self._changed.set()
        else:
            return True
        return False

    def _is_free(self, holder: Holder | None) -> bool:
        if holder is None or holder == self._me:
            return True
        return self._is_first and holder.instance == self._me.instance

    async def _write(self, expected: int) -> None:
        """Take or renew the lease. WrongRevision: another has it."""
        begun_s = asyncio.get_running_loop().time()
        try:
            revision = await self._bucket.replace(WRITER, self._me.pack(), expected)
        except WrongRevision:
            # An own write whose answer was lost is no other's.
            entry = await self._bucket.get(WRITER)
            if _holder(entry.value) != self._me:
                raise
            revision = await self._bucket.replace(WRITER, self._me.pack(), entry.revision)
        self._revision = revision
        self._valid_until_s = begun_s + self._term_s
        self._is_first = False

    async def _renew(self) -> None:
        # By the revision of the last own write, never by one that was seen: that would take it from another.
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._term_s / 3)
            try:
                async with asyncio.timeout(max(0.0, self._valid_until_s - loop.time())):
                    await self._write(self._revision)
            except WrongRevision as error:
                self._valid_until_s = 0.0
                raise LeaseLost("another aggregator folds") from error
            except (BusError, TimeoutError) as error:
                if not self.is_valid:
                    raise LeaseLost("the lease could not be renewed in time") from error

    async def _release(self) -> None:
        """Let another one begin at once; nothing happens where one has begun."""
        if self.is_valid:
            self._valid_until_s = 0.0
            subject, data, headers = delete(STATUSES, WRITER)
            with suppress(BusError, TimeoutError):
                async with asyncio.timeout(RELEASE_WITHIN_S):
                    await self._js.publish(subject, data, headers | {_EXPECTED: str(self._revision)})


def _holder(value: bytes | None) -> Holder | None:
    if value is None:
        return None
    try:
        return Holder.unpack(value)
    except MalformedMessage:
        return Holder("")
