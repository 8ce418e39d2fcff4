"""One pool at the gateway: each request of its renderers answered, from what is the pool's own.

The server has checked that whoever asks on `pool.<pool>.…` is a renderer of that pool. All else is checked here. A pool has a
connection, tables and bounds to itself: what it floods the hub with holds up nobody else. Only the renderer whose turn it is may
write; which one that is ends with this session, and the first one to ask the next gateway works from then on.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from outrider import subjects
from outrider.bus import BusError, Connection
from outrider.bus.jetstream import JetStream
from outrider.bus.model import Message as Arrived
from outrider.bus.services import Endpoint, RequestRefused, error_headers, serve
from outrider.codec import MalformedMessage, Message
from outrider.names import PoolName
from outrider.pool_messages import (
    ENTRIES_MAX,
    KEY_MAX_CHARS,
    RENDERINGS,
    RUN_BYTES,
    SOURCES,
    WAIT_S,
    ArchiveRead,
    ArchiveWrite,
    AskedAnswer,
    BundleChunk,
    BundleOffer,
    EntriesRequest,
    KeysAnswer,
    KeysRequest,
    RecordWrite,
    TableAnswer,
    TableRequest,
    TurnAnswer,
    TurnRequest,
    packed,
)
from outrider.version import VERSION
from repo_renderer.gateway import checks
from repo_renderer.gateway.asked import Asked
from repo_renderer.gateway.bell import heard
from repo_renderer.gateway.presence import Presence
from repo_renderer.gateway.stores import Stores
from repo_renderer.gateway.tables import Table, Tables
from repo_renderer.gateway.turns import TooMany, Turns
from repo_renderer.gateway.uploads import Uploads
from repo_renderer.gateway.writes import Writes

log = structlog.get_logger()

IN_HAND_MAX = 64
# Requests of one pool that are worked on or wait at a time. A renderer has some ten.
A_MOMENT_S = 0.1
NAME_MAX_CHARS = 253
VERSION_MAX_CHARS = 32
CHECKS: dict[str, Callable[[Any], dict[str, Any]]] = {"refresh": checks.refreshed, "render": checks.rendered}

Handler = Callable[[Any], Awaitable[Message]]


class Session:
    """One pool, on a connection of its own."""

    def __init__(self, pool: PoolName, connection: Connection, tables: Tables, stores: Stores) -> None:
        now_s = asyncio.get_running_loop().time()
        self._pool, self._connection, self._tables = pool, connection, tables
        # Of a table, of a renderer, of a request: whoever waits for its turn looks at all of them.
        self._bell = tables.changed
        self._turns = Turns(now_s)
        self._asked = Asked(pool, self._bell.ring)
        js = JetStream(connection)
        self._presence = Presence(pool, self._turns, self._bell, stores.presence, js)
        budget = stores.budget(pool, time.monotonic())
        uploads = Uploads(stores.objects, budget, stores.checking)
        writes = Writes(pool, tables.named[SOURCES], tables.named[RENDERINGS], stores, budget)
        self._reads: dict[str, tuple[type[Message], Handler]] = {
            "turn": (TurnRequest, self._turn),
            "table": (TableRequest, self._table),
            "keys": (KeysRequest, self._keys),
            "entries": (EntriesRequest, self._entries),
            "archived": (ArchiveRead, writes.archived),
        }
        self._writes: dict[str, tuple[type[Message], Handler]] = {
            "record": (RecordWrite, writes.record),
            "archive": (ArchiveWrite, writes.archive),
            "offer": (BundleOffer, uploads.offer),
            "chunk": (BundleChunk, uploads.chunk),
            "answer": (AskedAnswer, self._asked.answer),
        }
        self._in_hand = 0

    async def run(self) -> None:
        """Serve until cancelled."""
        endpoints = [
            Endpoint(f"{verb}-{self._pool}", subjects.render(self._pool, verb), self._forward(verb))
            for verb in CHECKS
        ]
        async with asyncio.TaskGroup() as tasks:

            async def hear(arrived: Arrived) -> None:
                if self._in_hand >= IN_HAND_MAX:
                    busy = BusError("too many requests of this pool at a time")
                    await self._respond(arrived, None, busy)
                    return
                answering = self._answer(arrived)
                try:
                    tasks.create_task(answering, name="answer a renderer")
                except RuntimeError:
                    # The session is being ended: whoever asked asks the next one.
                    answering.close()
                else:
                    self._in_hand += 1

            await self._connection.subscribe(subjects.gateway_of(self._pool), hear)
            tasks.create_task(self._presence.run(), name="presence")
            tasks.create_task(serve(self._connection, "repo-renderer", VERSION, endpoints), name="serve")

    async def _answer(self, arrived: Arrived) -> None:
        try:
            answer = await self._handled(arrived.subject.rpartition(".")[2], arrived.data)
        except (RequestRefused, MalformedMessage, BusError) as error:
            await self._respond(arrived, None, error)
        except asyncio.CancelledError:
            # What waits here is told, so that it need not wait to find out.
            await self._respond(arrived, None, BusError("this gateway ends; ask the next one"))
            raise
        except Exception:
            # The loop's boundary: one request that meets a bug must not take the others down.
            log.exception("request of a pool failed", pool=self._pool)
            await self._respond(arrived, None, BusError("the hub met an error of its own; its log says more"))
        else:
            await self._respond(arrived, answer, None)
        finally:
            self._in_hand -= 1

    async def _handled(self, verb: str, data: bytes) -> Message:
        kind, handle = self._reads.get(verb) or self._writes.get(verb) or (None, None)
        if kind is None or handle is None:
            raise RequestRefused(f"this hub knows no request {verb[:40]!r} of a renderer")
        request: Any = kind.unpack(data)
        if len(request.run) != RUN_BYTES:
            raise RequestRefused(f"run: has {len(request.run)} bytes instead of {RUN_BYTES}")
        if verb in self._writes and self._turns.holder(self._now_s()) != request.run:
            raise BusError("another renderer of this pool works at the moment")
        return await handle(request)

    async def _respond(self, arrived: Arrived, answer: Message | None, error: Exception | None) -> None:
        if not arrived.reply:
            return
        data = answer.pack() if answer is not None else b""
        headers = error_headers(error) if error is not None else None
        try:
            await self._connection.publish(arrived.reply, data, headers=headers)
        except BusError as failure:
            log.debug("a renderer was not answered", pool=self._pool, reason=str(failure))

    async def _turn(self, request: TurnRequest) -> TurnAnswer:
        """Tell a renderer whether it works, as soon as that is not what it takes for true, and what it is asked."""
        if request.leaves:
            self._turns.left(request.run)
            self._bell.ring()
            return TurnAnswer()
        begun_s = self._now_s()
        self._hear(request)
        if self._turns.holder(begun_s) == request.run:
            self._asked.arrived(request.run)
        while True:
            rung = self._bell.listen()
            works = self._turns.holder(self._now_s()) == request.run
            asked = self._asked.take(request.run) if works else []
            waited_s = self._now_s() - begun_s
            is_told = request.digests == self._tables.digests()
            if (
                asked
                or works != request.works
                or waited_s >= WAIT_S
                or not (is_told or waited_s < A_MOMENT_S)
            ):
                return TurnAnswer(works, asked, self._tables.digests())
            # Changes come in swarms: one answer tells of those of a moment.
            await heard(rung if is_told else asyncio.Event(), (WAIT_S if is_told else A_MOMENT_S) - waited_s)

    def _hear(self, request: TurnRequest) -> None:
        before = self._turns.renderers(self._now_s())
        name, version = request.name[:NAME_MAX_CHARS], request.version[:VERSION_MAX_CHARS]
        try:
            self._turns.heard(request.run, name, version, self._now_s())
        except TooMany as error:
            raise RequestRefused(str(error)) from error
        if self._turns.renderers(self._now_s()) != before:
            self._bell.ring()

    async def _table(self, request: TableRequest) -> TableAnswer:
        table = self._named(request.table)
        entries, more = table.since(request.after)
        return TableAnswer(packed(entries), table.digest, more)

    async def _keys(self, request: KeysRequest) -> KeysAnswer:
        keys, more = self._named(request.table).keys_after(request.after[:KEY_MAX_CHARS])
        return KeysAnswer(packed(keys), more)

    async def _entries(self, request: EntriesRequest) -> TableAnswer:
        table = self._named(request.table)
        entries, more = table.entries(key for key in request.keys[:ENTRIES_MAX] if isinstance(key, str))
        return TableAnswer(packed(entries), table.digest, more)

    def _named(self, name: str) -> Table:
        table = self._tables.named.get(name)
        if table is None:
            raise RequestRefused(f"this hub has no table {name[:40]!r}")
        return table

    def _forward(self, verb: str) -> Callable[[dict[str, Any]], Awaitable[Any]]:
        async def forward(arguments: dict[str, Any]) -> Any:
            if self._turns.holder(self._now_s()) is None:
                raise RequestRefused(f"no renderer of pool {self._pool!r} is connected")
            return await self._asked.ask(verb, arguments, CHECKS[verb])

        return forward

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()
