"""The Desired records that this edge has accepted, and up to where it has seen them all.

Each record is kept twice; a copy that is damaged is written again from the other one. Where both are lost, or a number is, nothing is
known to have been seen: the next resync asks for everything, and what is held already is not stored again. Until whoever keeps the
frontier has begun again, no frontier of before is believed.
"""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import msgpack

from edge_agent.replica.bundles import Bundles
from edge_agent.replica.database import Database
from edge_agent.replica.errors import ReplicaUnwritable
from edge_agent.replica.losses import Loss
from edge_agent.replica.tables import DESIRED, META, RENDERED, TWIN, Values
from outrider.generations import Holding, generations_digest, holdings_digest
from outrider.messages import Desired, Generation
from outrider.names import AppName

T = TypeVar("T")
NOTHING = Generation(0, 0)
_EMPTY = msgpack.packb({})
_HELD = "held"
# A digest over the generations of all records: one whose row is gone is missed by it.
_COPIES = (DESIRED, TWIN)
_ENDED = "ended"
# In the spec of a tombstone that was carried out; the hub says nothing by that name.
_BEGIN_AGAIN = frozenset({"file", "newest", "record", "numbers"})


@dataclass(frozen=True)
class Held:
    """One accepted record."""

    app: AppName
    record: Desired

    @property
    def generation(self) -> Generation:
        """Its place in the order of the cluster."""
        return self.record.generation

    @property
    def is_ended(self) -> bool:
        """Whether it is a tombstone that was carried out, kept until the hub knows that."""
        return self.record.is_tombstone and _ENDED in self.record.spec


class Holdings:
    """Accepted records, one an application. A record and its bundle are stored in one transaction, or not at all."""

    def __init__(self, database: Database, bundles: Bundles) -> None:
        self._database = database
        self._bundles = bundles
        self._complete, self._highest = self._pair("complete"), self._pair("highest")
        self._numbers: dict[AppName, Generation] | None = None
        # of what is held, so that no record that comes has all others read; None: to be read again
        self._begins_again = any(loss.what in _BEGIN_AGAIN for loss in database.losses)
        self._damaged: set[str] = set()
        # applications of whose record a copy was found damaged
        database.observers.append(self._on_loss)
        held = database.meta(_HELD)
        if held != _digest(self.generations()) and (held or self._complete != NOTHING):
            database.lost(Loss("record", why="records are missing"))

    def all(self) -> list[Held]:
        """Return every record, tombstones included."""
        return [Held(AppName(row[0]), Desired.unpack(row[4])) for row in self._rows().values()]

    def get(self, app: AppName) -> Held | None:
        """Return the record of one application."""
        found = self._database.rows(DESIRED, "WHERE app = ?", (app,)) or self._rows().values()
        return next((Held(app, Desired.unpack(row[4])) for row in found if row[0] == app), None)

    def generations(self) -> dict[AppName, Generation]:
        """Return what is held."""
        return {AppName(app): Generation(row[1], row[2]) for app, row in self._rows().items()}

    def digest(self) -> bytes:
        """Return the digest that the hub compares: of what is held, but for tombstones that were carried out."""
        return holdings_digest(
            {held.app: Holding.of(held.record) for held in self.all() if not held.is_ended}
        )

    def accept(self, app: AppName, record: Desired, bundle: bytes | None, complete: Generation) -> None:
        """Store a record, its bundle unless that is held, and up to where all is seen, in one transaction; on the medium
        on return. ReplicaUnwritable.

        The patch is not kept: the bundle is. Where the edge is to render from here on, what the hub rendered stays in force until
        it has.
        """
        kept = Desired(
            uid=record.uid, epoch=record.epoch, counter=record.counter, spec=record.spec, revision=record.revision,
            digest=record.digest, cascade=record.cascade,
        ).pack()  # fmt: skip
        row = self._bundles.prepare(bundle) if bundle is not None else None
        highest = max(self._highest, record.generation)
        before = self.get(app) if record.digest == b"" else None

        def store(connection: sqlite3.Connection) -> Generation:
            if row is not None:
                connection.execute("INSERT OR REPLACE INTO bundles VALUES (?, ?, ?, ?)", row)
            for table in _COPIES:
                table.put(connection, app, record.epoch, record.counter, record.digest, kept)
            _take_over(connection, before, Held(app, record))
            _put_pair(connection, "highest", highest)
            self._numbers = {**self._known_numbers(connection), app: record.generation}
            return self._note(connection, complete)

        room = 2 * len(kept) + (len(row[1]) if row else 0)
        self._complete = self._write(store, durable=True, room=room)
        self._highest = highest
        with suppress(ReplicaUnwritable):
            self._bundles.evict()

    def end(self, app: AppName, generation: Generation) -> None:
        """Note that a tombstone was carried out, unless a newer record has come. ReplicaUnwritable."""
        held = self.get(app)
        if held is None or held.generation > generation or held.is_ended:
            return
        record = replace(held.record, spec={**held.record.spec, _ENDED: True})

        def store(connection: sqlite3.Connection) -> None:
            for table in _COPIES:
                table.put(connection, app, record.epoch, record.counter, record.digest, record.pack())

        self._database.write(store, room=None)

    def forget(self, app: AppName, generation: Generation) -> None:
        """Drop a tombstone that was carried out, unless a newer record has come. ReplicaUnwritable."""

        def drop(connection: sqlite3.Connection) -> None:
            for table in _COPIES:
                connection.execute(
                    f"DELETE FROM {table.name} WHERE app = ? AND (epoch, counter) <= (?, ?)",  # noqa: S608
                    (app, *generation),
                )
            self._numbers = {
                held: number
                for held, number in self._known_numbers(connection).items()
                if held != app or number > generation
            }
            META.put(connection, _HELD, _digest(self._numbers))

        self._write(drop, room=None)

    @property
    def highest(self) -> Generation:
        """The highest generation ever accepted: what is below was seen or is a replay."""
        return max(self._highest, *self.generations().values(), NOTHING)

    @property
    def complete(self) -> Generation:
        """The generation up to which every record has been seen."""
        return NOTHING if self._begins_again else self._complete

    @property
    def is_whole(self) -> bool:
        """Whether it once had all that the hub had, and lost nothing since."""
        return self.complete != NOTHING

    def set_complete(self, generation: Generation) -> None:
        """Note that every record up to `generation` has been seen. ReplicaUnwritable."""
        if generation != self.complete:
            self._complete = self._write(lambda connection: self._note(connection, generation))

    def begin_again(self) -> Generation:
        """Return the frontier from which on to ask, and believe from here on what is said of it."""
        if self._begins_again:
            with suppress(ReplicaUnwritable):
                # Where it can't be, what was lost is found to be lost by the next start too.
                self._write(lambda connection: self._note(connection, NOTHING))
            self._begins_again, self._complete = False, NOTHING
        return self._complete

    def _rows(self) -> dict[str, Values]:
        """Return the newer copy of each record, by application; see to those of which a copy is damaged."""
        copies = [{row[0]: row for row in self._database.rows(table)} for table in _COPIES]
        found = _newest(row for copy in copies for row in copy.values())
        if self._damaged or any(copy != found for copy in copies):
            self._mend(found)
        return dict(sorted(found.items()))

    def _mend(self, found: dict[str, Values]) -> None:
        damaged, self._damaged = self._damaged, set()
        with suppress(ReplicaUnwritable):
            self._database.write(lambda connection: _write_again(connection, found.values()), durable=True)
        held = {AppName(app): Generation(row[1], row[2]) for app, row in found.items()}
        noted = self._database.meta(_HELD)
        if noted and _digest(held) != noted:
            for app in sorted(damaged - found.keys()) or [""]:
                self._database.lost(Loss("record", app, "both copies of it are damaged"))

    def _write(
        self, work: Callable[[sqlite3.Connection], T], *, durable: bool = False, room: int | None = 0
    ) -> T:
        try:
            return self._database.write(work, durable=durable, room=room)
        except ReplicaUnwritable:
            # What was rolled back may be in the numbers.
            self._numbers = None
            raise

    def _known_numbers(self, connection: sqlite3.Connection) -> dict[AppName, Generation]:
        if self._numbers is None:
            self._numbers = _generations(connection)
        return self._numbers

    def _on_loss(self, loss: Loss) -> None:
        self._numbers = None
        if loss.what in _BEGIN_AGAIN:
            self._begins_again = True
        elif loss.what == "copy":
            self._damaged.add(loss.name)

    def _note(self, connection: sqlite3.Connection, complete: Generation) -> Generation:
        if self._begins_again:
            complete = NOTHING
        _put_pair(connection, "complete", complete)
        META.put(connection, _HELD, _digest(self._known_numbers(connection)))
        return complete

    def _pair(self, name: str) -> Generation:
        database = self._database
        return Generation(database.meta(f"{name}_epoch"), database.meta(f"{name}_counter"))


def _take_over(connection: sqlite3.Connection, before: Held | None, now: Held) -> None:
    """Begin what is kept of an application that is rendered here with what the hub rendered; end it with the hub's, or its end."""
    renders, same = now.record.digest == b"", before is not None and before.record.uid == now.record.uid
    if not (renders and same):
        connection.execute("DELETE FROM rendered WHERE app = ?", (now.app,))
    elif before is not None and before.record.digest:
        revision = before.record.revision
        revision = revision.hex() if isinstance(revision, bytes) else revision
        RENDERED.put(connection, now.app, revision, before.record.digest, _EMPTY)


def _newest(rows: Iterable[Values]) -> dict[str, Values]:
    """Return each application's row of the highest generation."""
    found: dict[str, Values] = {}
    for row in rows:
        if row[0] not in found or row[1:3] > found[row[0]][1:3]:
            found[row[0]] = row
    return found


def _write_again(connection: sqlite3.Connection, rows: Iterable[Values]) -> None:
    for row in rows:
        for table in _COPIES:
            table.put(connection, *row)


def _generations(connection: sqlite3.Connection) -> dict[AppName, Generation]:
    rows = (values for table in _COPIES for values, _ in table.look(connection) if values is not None)
    return {AppName(app): Generation(row[1], row[2]) for app, row in _newest(rows).items()}


def _put_pair(connection: sqlite3.Connection, name: str, generation: Generation) -> None:
    META.put(connection, f"{name}_epoch", generation.epoch)
    META.put(connection, f"{name}_counter", generation.counter)


def _digest(held: dict[AppName, Generation]) -> int:
    return int.from_bytes(generations_digest(held), signed=True)
