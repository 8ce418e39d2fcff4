"""What still holds in a file: read row by row, by checksum and digest, into a file that is being made.

From a damaged file, what can be read before and behind the damage. From a whole one that can't be written to, all that the agent
needs, into memory. Bundles are taken along that an application runs or that its history needs.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress

from edge_agent.replica import old_schema
from edge_agent.replica.errors import SQLITE_ERRORS, ReplicaDamaged
from edge_agent.replica.tables import (
    CORE,
    DESIRED,
    META,
    PROGRESS,
    RENDERED,
    SCHEMA_KEY,
    SCHEMA_VERSION,
    SUMMED,
    TWIN,
    Table,
    Values,
    by_prefix,
    needed_bundles,
)

FRONTIER = frozenset({"complete_epoch", "complete_counter", "held"})
# Of what a damaged file says, never believed: what is lost is noticed by asking for all.


def fill(target: sqlite3.Connection, source: sqlite3.Connection, *, damaged: bool) -> bool:
    """Copy what holds, in the transaction that is open; return whether that is anything. ReplicaDamaged for a schema that isn't known."""
    version = _schema_of(source)
    rows: Iterator[tuple[Table, Values]]
    if version == SCHEMA_VERSION:
        rows = _rows(source)
    elif version == old_schema.VERSION and not damaged:
        rows = old_schema.rows(source)
    elif damaged:
        # Without checksums nothing of a damaged file can be believed.
        return False
    else:
        raise ReplicaDamaged(f"its schema is version {version}, this agent knows {SCHEMA_VERSION}")
    needed: set[bytes] = set()
    found = False
    for table, values in rows:
        found = True
        if damaged and table is META and values[0] in FRONTIER:
            continue
        table.put(target, *values)
        if table in (DESIRED, TWIN):
            needed.add(values[3] or b"")
        elif table is RENDERED:
            needed.add(values[2])
        elif table in (CORE, PROGRESS):
            needed.update(needed_bundles(values[1]))
    for digest in sorted(needed - {b""}):
        with suppress(*SQLITE_ERRORS):
            rows = source.execute("SELECT * FROM bundles WHERE digest BETWEEN ? AND ?", by_prefix(digest))
            target.executemany("INSERT OR REPLACE INTO bundles VALUES (?, ?, ?, ?)", rows)
    return found


def _schema_of(source: sqlite3.Connection) -> int:
    """Return the version of a file's schema, by a row with a checksum where there is one."""
    with suppress(*SQLITE_ERRORS):
        for values, _ in META.look(source, "WHERE key = ?", (SCHEMA_KEY,)):
            if values is not None and isinstance(values[1], int):
                return values[1]
    (version,) = source.execute("PRAGMA user_version").fetchone()
    return int(version)


def _rows(source: sqlite3.Connection) -> Iterator[tuple[Table, Values]]:
    """Yield rows whose checksum holds: from the front up to the damage, then from the back."""
    for table in SUMMED:
        seen: set[bytes] = set()
        for order in ("", "DESC"):
            with suppress(*SQLITE_ERRORS):
                for values, key in table.look(source, f"ORDER BY {table.columns[0]} {order}"):
                    if values is not None and key not in seen:
                        yield table, values
                    seen.add(key)
                break
