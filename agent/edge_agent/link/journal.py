"""The journal's way up: in compressed batches, behind live status, acknowledged by the hub's stream.

Entries wait for others to go with them: what they tell in haste, the status tells already. After an outage they go as soon as
the live status has gone. A batch whose acknowledgement was lost is sent again: entries are known by their numbers.
"""

import asyncio
import json
from collections.abc import Callable

import structlog

from edge_agent.journal import Journal
from outrider import codec, delta, subjects
from outrider.bus import BusError, Connection
from outrider.messages import JournalBatch
from outrider.names import ClusterName

log = structlog.get_logger()

FLUSH_AFTER_S = 300.0
# An entry costs a message of its own if it goes at once, a fraction of that in company.
BATCH_MAX_BYTES = 64 << 10
# Before compression.
COMPRESSES_TO_PART = 8
# A batch is compressed to less than one eighth.


class JournalSender:
    """Sends a journal, batch by batch, when its turn comes."""

    def __init__(
        self,
        connection: Connection,
        cluster: ClusterName,
        journal: Journal,
        now_s: Callable[[], float],
        flush_after_s: float = FLUSH_AFTER_S,
    ) -> None:
        """`now_s`: any clock that only goes forward."""
        self._connection, self._subject = connection, subjects.journal(cluster)
        self._journal = journal
        self._now_s, self._flush_after_s = now_s, flush_after_s
        self._due_s = now_s()

    def noted(self) -> None:
        """There is an entry; it waits for company unless others wait already."""
        self._due_s = min(self._due_s, self._now_s() + self._flush_after_s)

    def hurry(self) -> None:
        """What waits is to go as soon as it may: the link is back."""
        self._due_s = self._now_s()

    def due_in_s(self) -> float:
        """Return in how many seconds there is something to send; infinity: not before there is an entry."""
        return float("inf") if self._journal.is_sent else max(0.0, self._due_s - self._now_s())

    async def send(self, timeout_s: float, max_bytes: int) -> int:
        """Send one batch of about `max_bytes` at most; return its bytes. BusError: nothing is lost, call again."""
        epoch, newest = self._journal.epoch, self._journal.newest
        entries = await asyncio.to_thread(
            self._journal.unsent, min(BATCH_MAX_BYTES, max_bytes * COMPRESSES_TO_PART)
        )
        size_bytes = 0
        if entries:
            frame = delta.compress_fast(codec.pack([entry.value() for entry in entries]))
            packed = JournalBatch(epoch, frame).pack()
            size_bytes = len(packed)
            answer = await self._connection.request(self._subject, packed, timeout_s=timeout_s)
            acknowledgement = json.loads(answer.data)
            if "error" in acknowledgement:
                reason = acknowledgement["error"].get("description", "")
                raise BusError(f"the hub's stream refused the journal: {reason}")
            self._journal.acknowledge(entries[-1].last_seq, epoch)
            log.debug("journal sent", entries=len(entries), bytes=len(frame))
        if self._journal.is_sent:
            self._due_s = float("inf")
        elif entries and entries[-1].last_seq >= newest:
            # What came meanwhile waits for company.
            self._due_s = self._now_s() + self._flush_after_s
        return size_bytes
