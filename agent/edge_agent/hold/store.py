"""The holds in the replica: what was asked for on the site, and what the ConfigMap said last. They outlive the agent's process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgpack

from edge_agent.hold.model import Hold
from edge_agent.replica.tables import HOLDS

if TYPE_CHECKING:
    import sqlite3

    from edge_agent.hold.holds import Key
    from edge_agent.replica import Database


class HoldStore:
    """Holds on disk, by key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[Key, Hold]:
        """Return what was kept; what can't be read is left out, and so holds nothing."""
        found = {}
        for key, packed in self._database.rows(HOLDS, "ORDER BY key"):
            hold = _read(packed)
            if hold is not None:
                found[str(key)] = hold
        return found

    def put(self, holds: dict[Key, Hold | None]) -> None:
        """Keep holds, or drop those that are None, all or nothing; on the medium on return. Raises `ReplicaUnwritable`."""

        def store(connection: sqlite3.Connection) -> None:
            for key, hold in holds.items():
                if hold is None:
                    connection.execute("DELETE FROM holds WHERE key = ?", (key,))
                else:
                    HOLDS.put(connection, key, msgpack.packb(hold.value()))

        self._database.write(store, durable=True)


def _read(packed: bytes) -> Hold | None:
    try:
        return Hold.of(msgpack.unpackb(packed, raw=False))
    except (ValueError, TypeError, KeyError, msgpack.exceptions.UnpackException):
        return None
