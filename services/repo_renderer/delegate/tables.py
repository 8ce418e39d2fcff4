"""What of the hub's buckets is this pool's, read as a bucket is: all that there is, then every change.

The gateway tells the digest of each table with every turn. One that differs from what is held is asked for what is newer, so that
after a lost connection only what changed meanwhile is sent. Where the digests still differ, something has gone, or has come from
another pool: the keys are compared then.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import structlog

from outrider.bus import BusError
from outrider.bus.buckets import Change, Changes
from outrider.codec import MalformedMessage
from outrider.pool_messages import (
    ENTRIES_MAX,
    EntriesRequest,
    KeysAnswer,
    KeysRequest,
    RecordWrite,
    Stored,
    TableAnswer,
    TableRequest,
    table_digest,
    unpacked,
)
from repo_renderer.delegate.gateway import Gateway

log = structlog.get_logger()


class Told:
    """The digests that the hub's tables have, as far as it has told them."""

    def __init__(self) -> None:
        self.digests: dict[str, bytes] = {}
        self._changed = asyncio.Event()

    def tell(self, digests: dict[str, bytes]) -> None:
        """Take in what the hub tells."""
        if digests != self.digests:
            self.digests = digests
            self._changed.set()
            self._changed = asyncio.Event()

    async def other_than(self, name: str, digest: bytes) -> None:
        """Wait while a table's digest is the given one, or nothing is known of it."""
        while self.digests.get(name, digest) == digest:
            await self._changed.wait()


class Table:
    """One table."""

    def __init__(self, gateway: Gateway, name: str, told: Told) -> None:
        self._gateway, self._name, self._told = gateway, name, told

    async def watch(self) -> AsyncIterator[Changes]:
        """Yield what there is, then every change, for ever."""
        held: dict[str, int] = {}
        # key -> revision
        caught_up = False
        while True:
            if caught_up:
                await self._told.other_than(self._name, table_digest(held))
            try:
                changes, now_held, is_whole = await self._next(held)
            except BusError as error:
                log.debug("table not read, asking again", table=self._name, reason=str(error))
                await self._gateway.wait()
                continue
            held = now_held
            if changes or (is_whole and not caught_up):
                caught_up = caught_up or is_whole
                yield Changes(changes, caught_up)
            elif not is_whole:
                # It changed while it was read: not at once again.
                await self._gateway.wait()

    async def _next(self, held: dict[str, int]) -> tuple[list[Change], dict[str, int], bool]:
        """Return what comes next, what is held with it, and whether that is all that the table has."""
        newest = max(held.values(), default=0)
        asked = TableRequest(self._gateway.run, self._name, newest)
        answer = await self._gateway.ask("table", asked, TableAnswer)
        now = dict(held)
        changes = _taken(answer.frame, now)
        if not answer.more and table_digest(now) != answer.digest:
            changes += await self._compared(now)
            answer = TableAnswer(b"", table_digest(now))
        return changes, now, not answer.more and table_digest(now) == answer.digest

    async def _compared(self, held: dict[str, int]) -> list[Change]:
        """Bring what is held in line with the table's keys; return what changed by that."""
        listed = await self._listed()
        gone = [Change(key, None, revision) for key, revision in held.items() if key not in listed]
        for change in gone:
            del held[change.key]
        missing = [key for key, revision in listed.items() if held.get(key) != revision]
        changes: list[Change] = []
        while missing:
            asked = EntriesRequest(self._gateway.run, self._name, list(missing[:ENTRIES_MAX]))
            answer = await self._gateway.ask("entries", asked, TableAnswer)
            arrived = _taken(answer.frame, held)
            changes += arrived
            # What is not there any more is asked for once.
            done = {change.key for change in arrived} if answer.more and arrived else set(asked.keys)
            missing = [key for key in missing if key not in done]
        return gone + changes

    async def _listed(self) -> dict[str, int]:
        listed: dict[str, int] = {}
        after, more = "", True
        while more:
            answer = await self._gateway.ask(
                "keys", KeysRequest(self._gateway.run, self._name, after), KeysAnswer
            )
            page = [(str(key), int(revision)) for key, revision in _pairs(answer.frame)]
            listed |= dict(page)
            after, more = page[-1][0] if page else after, answer.more and bool(page)
        return listed


class Renderings(Table):
    """The table that this renderer writes."""

    async def replace(self, key: str, value: bytes, revision: int) -> int:
        """Have a record stored if it is still at `revision`; WrongRevision otherwise."""
        asked = RecordWrite(self._gateway.run, key, value, revision)
        return (await self._gateway.ask("record", asked, Stored)).revision

    async def delete(self, key: str) -> None:
        """Leave a record to the hub: whose source has gone is none of this pool's any more."""


def _taken(frame: bytes, held: dict[str, int]) -> list[Change]:
    """Return the changes in a frame, and note what is held with them. BusError if they can't be read."""
    changes: list[Change] = []
    for entry in _unpacked(frame):
        match entry:
            case [str(key), int(revision), bytes(value)]:
                held[key] = revision
                changes.append(Change(key, value, revision))
            case _:
                raise BusError("the hub's answer can't be read: not [key, revision, value]")
    return changes


def _pairs(frame: bytes) -> list[tuple[str, int]]:
    pairs: list[tuple[str, int]] = []
    for entry in _unpacked(frame):
        match entry:
            case [str(key), int(revision)]:
                pairs.append((key, revision))
            case _:
                raise BusError("the hub's answer can't be read: not [key, revision]")
    return pairs


def _unpacked(frame: bytes) -> list[Any]:
    try:
        return unpacked(frame) if frame else []
    except MalformedMessage as error:
        raise BusError(f"the hub's answer can't be read: {error}") from error
