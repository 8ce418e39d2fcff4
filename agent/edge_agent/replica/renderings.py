"""What this edge rendered itself: of each application the last good rendering, and of each distinct one its bundle, made once."""

import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgpack

from edge_agent.replica.bundles import Bundles
from edge_agent.replica.database import Database
from edge_agent.replica.errors import ReplicaUnwritable
from edge_agent.replica.tables import ARCHIVE, RENDERED
from outrider.names import AppName

Warnings = tuple[tuple[str, str], ...]
"""Type and message of conditions that a rendering comes with."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """An application's bundle, and what it is a rendering of."""

    revision: str
    digest: bytes
    fingerprint: str = ""
    # of what its sources read; empty: what the hub rendered, before the edge took over
    warnings: Warnings = ()


@dataclass(frozen=True, slots=True)
class Archived:
    """A bundle that is held, made from all that enters a rendering."""

    digest: bytes
    warnings: Warnings = ()


class Renderings:
    """Renderings, with their bundles in one transaction. `replica.holdings` begins and ends what is kept of an application."""

    def __init__(self, database: Database, bundles: Bundles) -> None:
        self._database, self._bundles = database, bundles

    def get(self, app: AppName) -> Rendered | None:
        """Return what an application is at; None if it has no rendering yet."""
        for _, revision, digest, packed in self._database.rows(RENDERED, "WHERE app = ?", (app,)):
            value = _read(packed)
            return Rendered(revision, digest, str(value.get("fingerprint", "")), _warnings(value))
        return None

    def holds(self, digest: bytes) -> bool:
        """Whether a bundle is held, and can be read."""
        return self._bundles.get(digest) is not None

    def archived(self, identity: str) -> Archived | None:
        """Return the bundle of a rendering that was made before and is held still."""
        for _, digest, packed in self._database.rows(ARCHIVE, "WHERE identity = ?", (identity,)):
            if self.holds(digest):
                return Archived(digest, _warnings(_read(packed)))
        return None

    def hold(self, identity: str, archived: Archived, bundle: bytes) -> None:
        """Hold a bundle that no application is at, and what it was made from. ReplicaUnwritable."""
        row = self._bundles.prepare(bundle)

        def store(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO bundles VALUES (?, ?, ?, ?)", row)
            _archive(connection, identity, archived)

        self._database.write(store, room=len(row[1]))

    def put(self, app: AppName, rendered: Rendered, identity: str, bundle: bytes | None) -> bool:
        """Store a rendering, its bundle unless that is held, and what it was made from, in one transaction.

        False, and nothing is stored: the application is not rendered here any more. ReplicaUnwritable.
        """
        row = self._bundles.prepare(bundle) if bundle is not None else None
        value = msgpack.packb({"fingerprint": rendered.fingerprint, "warnings": rendered.warnings})

        def store(connection: sqlite3.Connection) -> bool:
            held = connection.execute("SELECT digest FROM desired WHERE app = ?", (app,)).fetchone()
            if held is None or held[0] != b"":
                return False
            if row is not None:
                connection.execute("INSERT OR REPLACE INTO bundles VALUES (?, ?, ?, ?)", row)
            _archive(connection, identity, Archived(rendered.digest, rendered.warnings))
            RENDERED.put(connection, app, rendered.revision, rendered.digest, value)
            return True

        stored = self._database.write(store, durable=True, room=len(value) + (len(row[1]) if row else 0))
        if stored:
            with suppress(ReplicaUnwritable):
                self._bundles.evict()
        return stored

    def at(self, digest: bytes) -> list[AppName]:
        """Return the applications that are at a bundle that was rendered here."""
        return [AppName(app) for app, *_ in self._database.rows(RENDERED, "WHERE digest = ?", (digest,))]


def _archive(connection: sqlite3.Connection, identity: str, archived: Archived) -> None:
    ARCHIVE.put(connection, identity, archived.digest, msgpack.packb({"warnings": archived.warnings}))


def _read(packed: bytes) -> Mapping[str, Any]:
    value: dict[str, Any] = msgpack.unpackb(packed, raw=False)
    return value


def _warnings(value: Mapping[str, Any]) -> Warnings:
    return tuple((str(kind), str(message)) for kind, message in value.get("warnings", ()))
