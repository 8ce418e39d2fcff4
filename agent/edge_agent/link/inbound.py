"""What comes down: Desired records, checked, completed with their bundles, stored, and only then handed on.

A record is accepted if the hub signed it for this cluster and application and its generation is above the one held; anything
else is counted and ignored. One whose number was given out before, for something else, says that the hub does not know what this
edge holds (a registry died after it had sent a record and before the stream had it): a resync tells it. Each application takes
its newest record only: one that arrives while an older one still waits for its bundle replaces it. Record, bundle and frontier
are stored in one transaction, so a crash anywhere repeats a step that changes nothing the second time. Nothing is ever removed
but by a signed tombstone.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from edge_agent.link.allowance import Allowance
from edge_agent.link.budget import Lane
from edge_agent.link.frontier import Frontier
from edge_agent.link.rejections import Rejections
from edge_agent.link.transfer import NoSuchBundle, Transfer
from edge_agent.replica import Bundles, Held, Holdings, ReplicaUnwritable
from edge_agent.replica.bundles import BUNDLE_MAX_BYTES
from outrider import delta, subjects
from outrider.bus import BusError, Connection, Message
from outrider.codec import MalformedMessage
from outrider.generations import Holding
from outrider.identity.signatures import ForgedRecord, unseal
from outrider.messages import Desired, Generation
from outrider.names import AppName, ClusterName

log = structlog.get_logger()

TRANSFERS_MAX = 2
# At a time; a large one does not hold back all others, and many small ones do not share a thin link.
FETCH_AGAIN_PAUSES_MAX = 256
# Some minutes: a bundle that the hub lacks costs a question each time.
OBTAIN_WITHIN_S = 120.0
# Somebody waits for it.


_NOT_HELD = (BusError, NoSuchBundle, delta.WrongBase, delta.TooLarge, MalformedMessage, ReplicaUnwritable)
"""Why a bundle is not held: each may be over by the next attempt."""


def _nothing(digest: bytes) -> None:
    pass


@dataclass
class _Pending:
    """The newest record of an application, and who waits for it to be stored."""

    record: Desired
    transfer: Transfer | None = None
    # goes on where it was after an interruption
    bundle: bytes | None = None
    # came with the record, by another way than the link
    brought: asyncio.Event = field(default_factory=asyncio.Event)
    stored: asyncio.Event = field(default_factory=asyncio.Event)

    def bring(self, bundle: bytes | None) -> None:
        """Take in a bundle that came with the record."""
        if bundle is not None:
            self.bundle = bundle
            self.brought.set()

    def has(self, digest: bytes) -> bool:
        """Say whether a bundle came with the record, and is the one."""
        return self.bundle is not None and delta.digest(self.bundle) == digest


class Inbound:
    """The way down. `on_accepted` hears of each stored record, `on_bundle` of each bundle that was lost and is held again."""

    def __init__(
        self,
        connection: Connection,
        cluster: ClusterName,
        hub_keys: list[bytes],
        holdings: Holdings,
        bundles: Bundles,
        allowance: Allowance,
        on_accepted: Callable[[Held], None],
        on_trouble: Callable[[AppName, str], None],
        on_bundle: Callable[[bytes], None] = _nothing,
    ) -> None:
        self._connection, self._cluster, self._hub_keys = connection, cluster, hub_keys
        self._holdings, self._bundles, self._allowance = holdings, bundles, allowance
        self._on_accepted, self._on_trouble, self._on_bundle = on_accepted, on_trouble, on_bundle
        self._pending: dict[AppName, _Pending] = {}
        self._arrived: asyncio.Queue[AppName] = asyncio.Queue()
        self._transfers = asyncio.Semaphore(TRANSFERS_MAX)
        self._storing = asyncio.Lock()
        # One record at a time: what is complete with one is so only once those before it are stored.
        self._missing: dict[bytes, None] = {}
        self._misses = asyncio.Event()
        self.frontier = Frontier(holdings.complete)
        self.beginnings = 0
        # How often something of the replica was lost, so that nothing counts as seen.
        self.rejections = Rejections()
        self.gap = asyncio.Event()
        # set when a record was skipped: the resync loop waits for it

    async def run(self) -> None:
        """Accept records until cancelled."""
        await self._connection.subscribe(subjects.desired_of(self._cluster), self._on_message)
        self._connection.on_dropped.append(self.gap.set)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._fetch_missing(), name="fetch bundles again")
            while True:
                app = await self._arrived.get()
                tasks.create_task(self._accept(app), name=f"accept {app}")

    def begin_again(self) -> None:
        """Something of the replica was lost: ask for all that there is."""
        self.beginnings += 1
        self.frontier = Frontier(self._holdings.begin_again())
        self.gap.set()

    async def _on_message(self, message: Message) -> None:
        self._allowance.spend(Lane.DESIRED, len(message.data))
        _, app = subjects.app_of_desired(message.subject)
        record = self.verified(app, message.data)
        if record is None:
            return
        waiting = {pending.record.generation for pending in self._pending.values()}
        known = self._known(app)
        if self.frontier.has_gap_before(record.generation, waiting) or self._is_numbered_again(known, record):
            self.gap.set()
        self._offer(app, record, known)

    def verified(self, app: AppName, sealed: bytes) -> Desired | None:
        """Return the record if the hub signed it for this cluster and application."""
        try:
            return Desired.unpack(unseal(sealed, self._hub_keys, self._cluster, app))
        except (ForgedRecord, MalformedMessage) as error:
            self.rejections.add(f"desired {type(error).__name__}", error)
            return None

    def _known(self, app: AppName) -> Desired | None:
        """Return the newest record of an application, stored or not."""
        if (pending := self._pending.get(app)) is not None:
            return pending.record
        held = self._holdings.get(app)
        return held.record if held is not None else None

    def _is_numbered_again(self, known: Desired | None, record: Desired) -> bool:
        """Whether a record's number, or a higher one, was given out before it, and not to what it says."""
        if known is None:
            return record.generation <= self.frontier.complete
        return record.generation <= known.generation and Holding.of(record) != Holding.of(known)

    def wants(self, app: AppName, record: Desired, held: Held | None) -> bool:
        """Say whether a verified record is above what is `held`; one that has arrived and waits for its bundle is not held."""
        pending = self._pending.get(app)
        if pending is not None and record.generation < pending.record.generation:
            return False
        return record.generation > self._newest(held.record if held is not None else None)

    def complete_up_to(self, generation: Generation) -> None:
        """Take in that every record up to here has been seen, and write it down. ReplicaUnwritable."""
        self.frontier.complete_up_to(generation)
        self._holdings.set_complete(self.frontier.complete)

    async def bring(self, bundle: bytes) -> None:
        """Hold a bundle that came by another way than the link, in place of one that was lost. ReplicaUnwritable."""
        await asyncio.to_thread(self._bundles.put, bundle)
        digest = delta.digest(bundle)
        self._missing.pop(digest, None)
        self._on_bundle(digest)

    def offer(self, app: AppName, record: Desired, bundle: bytes | None = None) -> asyncio.Event:
        """Take in a verified record; the event is set once it is stored or known to be outdated.

        `bundle`: its bundle's canonical bytes, where they came with it.
        """
        return self._offer(app, record, self._known(app), bundle)

    def _offer(
        self, app: AppName, record: Desired, known: Desired | None, bundle: bytes | None = None
    ) -> asyncio.Event:
        pending, newest = self._pending.get(app), self._newest(known)
        if pending is not None and record.generation >= newest:
            pending.bring(bundle)
        if record.generation <= newest:
            if record.generation < newest:
                self.rejections.add("desired outdated", "its generation is below what was seen")
                self.frontier.note(record.generation)
            return pending.stored if pending else _set_event()
        if pending is not None:
            # The older one will never be stored; the newer one says all that it said.
            self.frontier.note(pending.record.generation)
            pending.record = record
            return pending.stored
        self._pending[app] = pending = _Pending(record)
        pending.bring(bundle)
        self._arrived.put_nowait(app)
        return pending.stored

    def _newest(self, known: Desired | None) -> Generation:
        """Return the generation that a record must exceed.

        Where nothing is held, it is the frontier: everything below was seen, so an application that was removed is not
        brought back by replaying its old record.
        """
        return known.generation if known is not None else self.frontier.complete

    async def _accept(self, app: AppName) -> None:
        """Obtain the bundle of the newest record of an application and store both."""
        pending = self._pending[app]
        attempt = 0
        while True:
            record = pending.record
            if attempt:
                await self._retry(attempt)
            attempt += 1
            try:
                bundle = await self._bundle(pending, record)
            except _NOT_HELD as error:
                log.warning(
                    "bundle not received", app=app, attempt=attempt, reason=str(error) or type(error).__name__
                )
                self._on_trouble(
                    app, f"The bundle of generation {record.counter} could not be received: {error}"
                )
                continue
            if pending.record is record and await self._stored(app, record, bundle):
                if pending.record is record:
                    break
                attempt = 0
        del self._pending[app]
        pending.stored.set()

    async def _stored(self, app: AppName, record: Desired, bundle: bytes | None) -> bool:
        async with self._storing:
            frontier = self.frontier
            frontier.note(record.generation)
            try:
                await asyncio.to_thread(self._holdings.accept, app, record, bundle, frontier.complete)
            except ReplicaUnwritable as error:
                log.warning("record not stored", app=app, reason=str(error))
                self._on_trouble(app, f"The agent's replica can't be written: {error}")
                if frontier is self.frontier:
                    self.frontier = Frontier(self._holdings.complete)
                return False
        log.info("desired accepted", app=app, generation=list(record.generation), removal=record.is_tombstone)
        self._on_accepted(Held(app, record))
        return True

    async def _bundle(self, pending: _Pending, record: Desired) -> bytes | None:
        """Return the record's bundle: None if it is held already (or there is none), patched, or fetched."""
        if not record.digest or self._bundles.get(record.digest) is not None:
            return None
        if record.patch is not None and record.base is not None:
            base = self._bundles.by_short(record.base)
            if base is not None:
                try:
                    return delta.Delta(record.digest, record.base, record.patch).apply(
                        base, max_bytes=BUNDLE_MAX_BYTES
                    )
                except (delta.WrongBase, delta.TooLarge) as error:
                    self.rejections.add("patch", error)
        while not pending.has(record.digest):
            await self._connected_or_brought(pending)
            async with self._transfers:
                if not pending.has(record.digest) and self._connection.is_connected:
                    return await self._fetched(pending, record.digest)
        return pending.bundle

    async def _connected_or_brought(self, pending: _Pending) -> None:
        """Wait for the link, or for the bundle to come by another way."""
        pending.brought.clear()
        async with asyncio.TaskGroup() as tasks:
            ways = [
                tasks.create_task(self._connection.wait_connected(), name="link"),
                tasks.create_task(pending.brought.wait(), name="bundle brought"),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()

    async def _fetched(self, pending: _Pending, digest: bytes) -> bytes:
        if pending.transfer is None or pending.transfer.digest != digest:
            pending.transfer = self._transfer(digest)
        return await pending.transfer.run()

    async def obtain(self, digest: bytes) -> None:
        """Have a bundle held that no record names: one that somebody asked to sync. LookupError, TimeoutError."""
        try:
            async with asyncio.timeout(OBTAIN_WITHIN_S):
                await self._hold(digest)
        except TimeoutError as error:
            raise TimeoutError(
                f"bundle {digest.hex()[:12]} could not be fetched within {OBTAIN_WITHIN_S:g} s: the link is down or slow"
            ) from error
        except _NOT_HELD as error:
            raise LookupError(f"bundle {digest.hex()[:12]} could not be fetched: {error}") from error

    def fetch_again(self, digest: bytes) -> bool:
        """Have a bundle held again; `on_bundle` hears of it, whenever that is. False: that is under way."""
        is_new = digest not in self._missing
        self._missing[digest] = None
        self._misses.set()
        return is_new

    async def _fetch_missing(self) -> None:
        attempt = 0
        while True:
            await self._misses.wait()
            self._misses.clear()
            for digest in list(self._missing):
                try:
                    await self._hold(digest)
                except _NOT_HELD as error:
                    log.warning("bundle not fetched again", digest=digest.hex()[:12], reason=str(error))
                    continue
                self._missing.pop(digest, None)
                self._on_bundle(digest)
            attempt = attempt + 1 if self._missing else 0
            for _ in range(min(1 << attempt, FETCH_AGAIN_PAUSES_MAX) if attempt else 0):
                await self._connection.pause()
            if self._missing:
                self._misses.set()

    async def _hold(self, digest: bytes) -> None:
        """Fetch a bundle unless it is held. Raises what is in `_NOT_HELD`."""
        if self._bundles.get(digest) is not None:
            return
        async with self._transfers:
            await self._connection.wait_connected()
            data = await self._transfer(digest).run()
        await asyncio.to_thread(self._bundles.put, data)

    def _transfer(self, digest: bytes) -> Transfer:
        return Transfer(self._connection, self._cluster, self._bundles, self._allowance, digest)

    async def _retry(self, attempt: int) -> None:
        for _ in range(min(attempt, 6)):
            await self._connection.pause()


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
