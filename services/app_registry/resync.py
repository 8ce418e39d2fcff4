"""Answer edges that ask what differs: `fleet.*.resync`.

An edge says up to which number it has seen everything, the digest of what it holds, and the highest number it ever accepted.

- It holds what it should: one small answer.
- Something is newer: those records, in the order of their numbers, up to a limit in bytes with `more`.
- Its highest number is above any that was ever given out here: this hub was restored from a backup. The cluster's epoch is
  raised (in its record first, so that a crash does not forget it) and its records are signed again on top; they reach the
  edge as any record does.
- Nothing is newer, nothing is on its way, and it still holds something else: a divergence that numbers can't mend. The
  same cure, at most once in a while.

Absence from an answer means nothing to an edge.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog

from app_registry.generations import Generations, Published
from app_registry.tombstones import Tombstones
from outrider import subjects
from outrider.bus import BusError, Connection, Disconnected, Message
from outrider.bus.jetstream import JetStream
from outrider.codec import MalformedMessage
from outrider.messages import READS_BRIEF, Generation, ResyncAnswer, ResyncRequest
from outrider.names import AppName, ClusterName, token
from outrider.topology import DESIRED

log = structlog.get_logger()

ANSWER_MAX_BYTES = 256 << 10
# One answer delays what else goes to the edge by no more than this takes on its link.
ENTRY_OVERHEAD_BYTES = 16
READ_BATCH = 128
CONCURRENT_MAX = 128
QUEUE = "app-registry"
RETURNS_PER_S = 500
# Handshakes of TLS that one server takes beside its work, on two cores.
SMALL_FLEET = 150
# Its agents come back as they like.
EPOCH_MAX = 1 << 31
RAISE_INTERVAL_S = 10.0
# Between two epochs of a cluster: each has all its records signed again, and an edge is believed what it has seen.
MEND_INTERVAL_S = 600.0

RaiseEpoch = Callable[[ClusterName, int], Awaitable[None]]


class Resync:
    """Serves resync requests."""

    def __init__(
        self,
        connection: Connection,
        js: JetStream,
        generations: Generations,
        tombstones: Tombstones,
        raise_epoch: RaiseEpoch,
    ) -> None:
        """`raise_epoch` makes a cluster's numbers go on in an epoch, and has its records signed again."""
        self._connection, self._js = connection, js
        self._generations, self._tombstones = generations, tombstones
        self._raise_epoch = raise_epoch
        self._raised_at_s: dict[ClusterName, float] = {}
        self._rejected: Counter[str] = Counter()

    async def serve(self) -> None:
        """Answer until cancelled, many edges at a time."""
        slots = asyncio.Semaphore(CONCURRENT_MAX)
        async with asyncio.TaskGroup() as tasks:

            async def spawn(message: Message) -> None:
                await slots.acquire()
                task = tasks.create_task(self._answer(message), name="answer a resync")
                task.add_done_callback(lambda _: slots.release())

            with suppress(Disconnected):
                # Subscribed to on the next connect.
                await self._connection.subscribe(subjects.ALL_RESYNC, spawn, queue=QUEUE)
            await asyncio.get_running_loop().create_future()

    async def _answer(self, message: Message) -> None:
        cluster = subjects.cluster_of(message.subject)
        try:
            answer = await self.answer(cluster, ResyncRequest.unpack(message.data))
            answer = replace(answer, window_ms=self._window_ms, reads=READS_BRIEF)
            await self._connection.publish(message.reply, answer.pack())
        except MalformedMessage as error:
            self._reject(type(error).__name__, cluster, error)
        except BusError as error:
            # The edge asks again.
            log.warning("resync not answered", cluster=cluster, reason=str(error))
        except Exception:
            # The loop's boundary: one edge that meets a bug must not take the answers of the others down.
            log.exception("resync failed", cluster=cluster)
        self._tombstones.look_at(cluster)

    @property
    def _window_ms(self) -> int:
        count = self._generations.cluster_count
        return 1000 * count // RETURNS_PER_S if count > SMALL_FLEET else 0

    def _reject(self, kind: str, cluster: ClusterName, error: Exception) -> None:
        self._rejected[kind] += 1
        if self._rejected[kind] == 1:
            log.warning(
                "resync request ignored, as further ones of its kind", cluster=cluster, reason=str(error)
            )

    async def answer(self, cluster: ClusterName, request: ResyncRequest) -> ResyncAnswer:
        """Return what differs for an edge."""
        seen = Generation(request.epoch, request.counter)
        highest = max(seen, Generation(request.highest_epoch, request.highest_counter))
        if highest.epoch >= EPOCH_MAX:
            raise MalformedMessage(f"ResyncRequest: epoch {highest.epoch} was never given out")
        if highest > self._generations.allocated(cluster):
            if self._raised_within(RAISE_INTERVAL_S, cluster):
                raise MalformedMessage(
                    "ResyncRequest: ahead of the hub again, a moment after that was mended"
                )
            log.warning("the edge is ahead of the hub", cluster=cluster, generation=list(highest))
            await self._raise(cluster, highest)
        newest = self._generations.newest(cluster)
        if request.set_digest == self._generations.digest(cluster):
            return ResyncAnswer(*newest)
        wanted = self._generations.after(cluster, seen)
        if wanted:
            part = _part(wanted, request.limit)
            records = await read_records(self._js, cluster, part)
            log.info("resync", cluster=cluster, records=len(records), more=len(part) < len(wanted))
            return ResyncAnswer(*newest, records, len(part) < len(wanted))
        if seen >= newest and self._generations.is_quiet(cluster):
            await self._reconcile(cluster, request.set_digest, highest)
        return ResyncAnswer(*newest)

    async def _reconcile(self, cluster: ClusterName, held: bytes, highest: Generation) -> None:
        """Find out why an edge that has seen everything holds something else."""
        if held == self._generations.digest_without_tombstones(cluster):
            self._tombstones.prove(cluster)
            return
        if not (
            self._raised_within(MEND_INTERVAL_S, cluster) or self._generations.is_on_its_way(cluster, held)
        ):
            log.warning("the edge holds other records than it should", cluster=cluster)
            await self._raise(cluster, highest)

    def _raised_within(self, interval_s: float, cluster: ClusterName) -> bool:
        raised_at_s = self._raised_at_s.get(cluster)
        return raised_at_s is not None and asyncio.get_running_loop().time() - raised_at_s < interval_s

    async def _raise(self, cluster: ClusterName, highest: Generation) -> None:
        self._raised_at_s[cluster] = asyncio.get_running_loop().time()
        await self._raise_epoch(cluster, highest.epoch + 1)


async def read_records(
    js: JetStream, cluster: ClusterName, part: Sequence[tuple[AppName, Published]]
) -> list[list[Any]]:
    """Return [application token, sealed record] from the stream, in the order of `part`.

    A record that was replaced while this reads is left out: the newer one reaches the edge by itself.
    """
    wanted = {published.seq: app for app, published in part}
    found: dict[int, bytes] = {}
    seq, last = min(wanted, default=1), max(wanted, default=0)
    while seq <= last:
        batch = await js.following(DESIRED.name, subjects.desired_of(cluster), seq, READ_BATCH)
        if not batch:
            break
        found |= {stored.seq: stored.data for stored in batch if stored.seq in wanted}
        seq = batch[-1].seq + 1
    return [[token(app), found[published.seq]] for app, published in part if published.seq in found]


def _part(wanted: list[tuple[AppName, Published]], limit: int) -> list[tuple[AppName, Published]]:
    """Return the first of the wanted records, as many as fit into one answer, and at least one."""
    size, count = 0, 0
    most = min(ANSWER_MAX_BYTES, limit) if limit > 0 else ANSWER_MAX_BYTES
    for app, published in wanted:
        size += published.size_bytes + len(app) + ENTRY_OVERHEAD_BYTES
        if count and size > most:
            break
        count += 1
    return wanted[:count]
