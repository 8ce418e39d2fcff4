"""What an application's worker has done: it goes on there after a crash.

Kept in two places. `progress` has all of it. `core` has the part without which something would be done twice or not at all (which
hooks were begun, what was asked for, what can be rolled back to), in rows and on pages of its own, and is written as soon as it is
another. Whichever of the two is damaged, the other one goes on.

The rest is routine: once the day's budget of writes is spent it is gathered in memory.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgpack

from edge_agent.replica.database import Database
from edge_agent.replica.errors import ReplicaUnwritable
from edge_agent.replica.tables import CORE, PROGRESS, Table

Value = Mapping[str, Any]


class _Kept(NamedTuple):
    """A row as it is packed. `number` grows with each core: an older whole does not undo a newer one."""

    number: int
    value: dict[str, Any]
    bundles: list[bytes]


class Progress:
    """Small values per application (`applications.model.ProgressStore`)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.RLock()
        self._cores: dict[str, _Kept] = {}
        # as written last
        self._gathered: dict[str, bytes] = {}
        database.gatherers.append(self._write_gathered)

    async def get(self, app: str) -> dict[str, Any] | None:
        """Return what was put last."""
        return await asyncio.to_thread(self._get, app)

    async def put(
        self, app: str, value: Value, bundles: Collection[str] = (), core: Value | None = None
    ) -> None:
        """Keep this, and the bundles with these short digests. ReplicaUnwritable.

        On return `core` (None: all of it) is on the medium; the rest may be gathered for a while.
        """
        needed = [bytes.fromhex(digest) for digest in sorted(set(bundles))]
        await asyncio.to_thread(self._put, app, dict(value), needed, dict(value if core is None else core))

    async def delete(self, app: str) -> None:
        """Drop it. ReplicaUnwritable."""
        await asyncio.to_thread(self._delete, app)

    def _get(self, app: str) -> dict[str, Any] | None:
        with self._lock:
            core, whole = self._row(CORE, app), self._row(PROGRESS, app)
            if (gathered := self._gathered.get(app)) is not None:
                whole = _unpacked(gathered)
            if core is not None:
                self._cores[app] = core
        if core is None or (whole is not None and whole.number > core.number):
            return whole.value if whole else None
        return {**whole.value, **core.value} if whole else core.value

    def _put(self, app: str, value: dict[str, Any], needed: list[bytes], core: dict[str, Any]) -> None:
        with self._lock:
            if not self._database.keeps:
                raise ReplicaUnwritable(self._database.trouble)
            before = self._cores.get(app) or self._row(CORE, app) or _Kept(0, {}, [])
            is_core = (core, needed) != (before.value, before.bundles)
            kept = _Kept(before.number + 1, core, needed) if is_core else before
            whole: bytes = msgpack.packb(_Kept(kept.number, value, needed))
            if self._database.is_sparing:
                self._gathered[app] = whole
                rows = [(CORE, app, msgpack.packb(kept))] if is_core else []
            else:
                self._gathered.pop(app, None)
                rows = [(PROGRESS, app, whole), *([(CORE, app, msgpack.packb(kept))] if is_core else [])]
            if rows:
                self._write(rows, durable=is_core)
            self._cores[app] = kept

    def _delete(self, app: str) -> None:
        def drop(connection: sqlite3.Connection) -> None:
            for table in (CORE, PROGRESS):
                connection.execute(f"DELETE FROM {table.name} WHERE app = ?", (app,))  # noqa: S608

        with self._lock:
            self._database.write(drop, room=None)
            self._gathered.pop(app, None)
            self._cores.pop(app, None)

    def _write_gathered(self) -> None:
        with self._lock:
            if self._gathered and self._database.keeps:
                self._write([(PROGRESS, app, whole) for app, whole in self._gathered.items()], durable=False)
                self._gathered.clear()

    def _write(self, rows: list[tuple[Table, str, bytes]], *, durable: bool) -> None:
        def put(connection: sqlite3.Connection) -> None:
            for table, app, packed in rows:
                table.put(connection, app, packed)

        room = sum(len(packed) for _, _, packed in rows)
        self._database.write(put, durable=durable, room=room)

    def _row(self, table: Table, app: str) -> _Kept | None:
        for _, packed in self._database.rows(table, "WHERE app = ?", (app,)):
            return _unpacked(packed)
        return None


def _unpacked(packed: bytes) -> _Kept:
    return _Kept(*msgpack.unpackb(packed, raw=False, strict_map_key=False))
