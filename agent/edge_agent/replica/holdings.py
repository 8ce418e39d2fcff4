"""The Desired records that this edge has accepted, and up to where it has seen them all."""

import sqlite3
from dataclasses import dataclass

import msgpack

from edge_agent.replica.bundles import Bundles
from edge_agent.replica.database import Database
from outrider.messages import Desired, Generation
from outrider.names import AppName

_EMPTY = msgpack.packb({})


@dataclass(frozen=True)
class Held:
    """One accepted record."""

    app: AppName
    record: Desired

    @property
    def generation(self) -> Generation:
        """Its place in the order of the cluster."""
        return self.record.generation


class Holdings:
    """Accepted records, one an application. A record and its bundle are stored in one transaction, or not at all."""

    def __init__(self, database: Database, bundles: Bundles) -> None:
        self._database = database
        self._bundles = bundles

    def all(self) -> list[Held]:
        """Return every record, tombstones that are not carried out yet included."""
        with self._database.transaction() as connection:
            rows = connection.execute("SELECT app, record FROM desired ORDER BY app").fetchall()
        return [Held(AppName(app), Desired.unpack(record)) for app, record in rows]

    def get(self, app: AppName) -> Held | None:
        """Return the record of one application."""
        with self._database.transaction() as connection:
            row = connection.execute("SELECT record FROM desired WHERE app = ?", (app,)).fetchone()
        return Held(app, Desired.unpack(row[0])) if row else None

    def generations(self) -> dict[AppName, Generation]:
        """Return what is held, for the digest that the hub compares."""
        with self._database.transaction() as connection:
            rows = connection.execute("SELECT app, epoch, counter FROM desired").fetchall()
        return {AppName(app): Generation(epoch, counter) for app, epoch, counter in rows}

    def accept(self, app: AppName, record: Desired, bundle: bytes | None, complete: Generation) -> None:
        """Store a record, its bundle unless that is held, and up to where all is seen, in one transaction.

        The patch is not kept: the bundle is. Where the edge is to render from here on, what the hub rendered stays in force until
        it has.
        """
        kept = Desired(
            uid=record.uid, epoch=record.epoch, counter=record.counter, spec=record.spec, revision=record.revision,
            digest=record.digest, cascade=record.cascade,
        )  # fmt: skip
        row = self._bundles.prepare(bundle) if bundle is not None else None
        highest = max(self.highest, record.generation)
        before = self.get(app)
        with self._database.transaction() as connection:
            if row is not None:
                connection.execute("INSERT OR REPLACE INTO bundles VALUES (?, ?, ?, ?)", row)
            connection.execute(
                "INSERT OR REPLACE INTO desired VALUES (?, ?, ?, ?, ?)",
                (app, record.epoch, record.counter, record.digest, kept.pack()),
            )
            _take_over(connection, before, Held(app, record))
            _set_pair(connection, "highest", highest)
            _set_pair(connection, "complete", complete)
        self._bundles.evict()

    def forget(self, app: AppName, generation: Generation) -> None:
        """Drop a tombstone that was carried out, unless a newer record has come."""
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM desired WHERE app = ? AND epoch = ? AND counter = ?", (app, *generation)
            )

    @property
    def highest(self) -> Generation:
        """The highest generation ever accepted: what is below was seen or is a replay."""
        return Generation(self._database.meta("highest_epoch"), self._database.meta("highest_counter"))

    @property
    def complete(self) -> Generation:
        """The generation up to which every record has been seen."""
        return Generation(self._database.meta("complete_epoch"), self._database.meta("complete_counter"))

    def set_complete(self, generation: Generation) -> None:
        """Note that every record up to `generation` has been seen."""
        if generation != self.complete:
            with self._database.transaction() as connection:
                _set_pair(connection, "complete", generation)


def _take_over(connection: sqlite3.Connection, before: Held | None, now: Held) -> None:
    """Begin what is kept of an application that is rendered here with what the hub rendered; end it with the hub's, or its end."""
    renders, same = now.record.digest == b"", before is not None and before.record.uid == now.record.uid
    if not (renders and same):
        connection.execute("DELETE FROM rendered WHERE app = ?", (now.app,))
    elif before is not None and before.record.digest:
        revision = before.record.revision
        connection.execute(
            "INSERT OR REPLACE INTO rendered VALUES (?, ?, ?, ?)",
            (
                now.app,
                revision.hex() if isinstance(revision, bytes) else revision,
                before.record.digest,
                _EMPTY,
            ),
        )


def _set_pair(connection: sqlite3.Connection, name: str, generation: Generation) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO meta VALUES (?, ?)",
        [(f"{name}_epoch", generation.epoch), (f"{name}_counter", generation.counter)],
    )
