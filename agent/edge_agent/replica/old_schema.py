"""The first schema, whose rows carried no checksum: read once, when the file is brought to the present one."""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress

import msgpack

from edge_agent.replica import tables
from edge_agent.replica.tables import (
    ARCHIVE,
    CORE,
    DESIRED,
    HOLDS,
    JOURNAL,
    META,
    PROGRESS,
    RENDERED,
    TWIN,
    Table,
    Values,
)
from outrider.generations import generations_digest
from outrider.messages import Generation
from outrider.names import AppName

VERSION = 1
_DROPPED = ("meta", "desired", "progress", "kept", "rendered", "archive", "holds", "journal")


def rows(connection: sqlite3.Connection) -> Iterator[tuple[Table, Values]]:
    """Yield the rows of an old file as they are to be written now."""
    for key, value in connection.execute("SELECT key, value FROM meta"):
        yield META, (key, value)
    held: dict[AppName, Generation] = {}
    for row in connection.execute("SELECT app, epoch, counter, digest, record FROM desired"):
        held[AppName(row[0])] = Generation(row[1], row[2])
        yield DESIRED, row
        yield TWIN, row
    yield META, ("held", int.from_bytes(generations_digest(held), signed=True))
    needed: dict[str, list[bytes]] = {}
    for app, digest in connection.execute("SELECT app, digest FROM kept"):
        needed.setdefault(app, []).append(digest)
    for app, value in connection.execute("SELECT app, value FROM progress"):
        with suppress(ValueError, msgpack.exceptions.UnpackException):
            whole = msgpack.unpackb(value, raw=False, strict_map_key=False)
            packed = msgpack.packb([0, whole, sorted(needed.get(app, []))])
            yield PROGRESS, (app, packed)
            yield CORE, (app, packed)
    # These came later.
    for table in (RENDERED, ARCHIVE, HOLDS, JOURNAL):
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table.name,)).fetchone():
            for row in connection.execute(f"SELECT {', '.join(table.columns)} FROM {table.name}"):  # noqa: S608
                yield table, row


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring a file to the present schema, in one transaction."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        found = list(rows(connection))
        for name in _DROPPED:
            connection.execute(f"DROP TABLE IF EXISTS {name}")
        tables.create(connection, bundles=False)
        for table, values in found:
            table.put(connection, *values)
