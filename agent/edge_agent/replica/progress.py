"""What an application's worker has done: it goes on there after a crash."""

import asyncio
from collections.abc import Collection
from typing import Any

import msgpack

from edge_agent.replica.database import Database


class Progress:
    """Small values per application (`applications.model.ProgressStore`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, app: str) -> dict[str, Any] | None:
        """Return what was put last."""
        return await asyncio.to_thread(self._get, app)

    async def put(self, app: str, value: dict[str, Any], bundles: Collection[str] = ()) -> None:
        """Keep this, and the bundles with these short digests, in one transaction; on return it is in the file."""
        needed = [(app, bytes.fromhex(digest)) for digest in sorted(set(bundles))]
        await asyncio.to_thread(self._put, app, msgpack.packb(value), needed)

    async def delete(self, app: str) -> None:
        """Drop it."""
        await asyncio.to_thread(self._delete, app)

    def _get(self, app: str) -> dict[str, Any] | None:
        with self._database.transaction() as connection:
            row = connection.execute("SELECT value FROM progress WHERE app = ?", (app,)).fetchone()
        if row is None:
            return None
        value: dict[str, Any] = msgpack.unpackb(row[0], raw=False, strict_map_key=False)
        return value

    def _put(self, app: str, value: bytes, needed: list[tuple[str, bytes]]) -> None:
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO progress VALUES (?, ?)", (app, value))
            connection.execute("DELETE FROM kept WHERE app = ?", (app,))
            connection.executemany("INSERT INTO kept VALUES (?, ?)", needed)

    def _delete(self, app: str) -> None:
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM progress WHERE app = ?", (app,))
            connection.execute("DELETE FROM kept WHERE app = ?", (app,))
