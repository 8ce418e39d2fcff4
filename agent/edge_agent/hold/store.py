"""The holds in the replica: what was asked for on the site, and what the ConfigMap said last. They outlive the agent's process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgpack

from edge_agent.hold.model import Hold

if TYPE_CHECKING:
    from edge_agent.hold.holds import Key
    from edge_agent.replica import Database

_SCHEMA = "CREATE TABLE IF NOT EXISTS holds (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"


class HoldStore:
    """Holds on disk, by key. Every method may raise `ReplicaUnwritable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.transaction() as connection:
            connection.execute(_SCHEMA)

    def all(self) -> dict[Key, Hold]:
        """Return what was kept; what can't be read is left out, and so holds nothing."""
        with self._database.transaction() as connection:
            rows = connection.execute("SELECT key, value FROM holds ORDER BY key").fetchall()
        found = {}
        for key, packed in rows:
            hold = _read(packed)
            if hold is not None:
                found[str(key)] = hold
        return found

    def put(self, holds: dict[Key, Hold | None]) -> None:
        """Keep holds, or drop those that are None, all or nothing."""
        with self._database.transaction() as connection:
            for key, hold in holds.items():
                if hold is None:
                    connection.execute("DELETE FROM holds WHERE key = ?", (key,))
                else:
                    packed: bytes = msgpack.packb(hold.value())
                    connection.execute("INSERT OR REPLACE INTO holds VALUES (?, ?)", (key, packed))


def _read(packed: bytes) -> Hold | None:
    try:
        return Hold.of(msgpack.unpackb(packed, raw=False))
    except (ValueError, TypeError, KeyError, msgpack.exceptions.UnpackException):
        return None
