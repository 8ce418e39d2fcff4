"""Replicas as earlier agents made them, without checksums."""

import sqlite3
from pathlib import Path

import msgpack

from outrider import delta
from outrider.messages import Desired

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS desired (
    app TEXT PRIMARY KEY, epoch INTEGER NOT NULL, counter INTEGER NOT NULL, digest BLOB, record BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bundles (
    digest BLOB PRIMARY KEY, frame BLOB NOT NULL, size INTEGER NOT NULL, used_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS progress (app TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (app TEXT, digest BLOB, PRIMARY KEY (app, digest)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
    routine INTEGER NOT NULL, size INTEGER NOT NULL, entry BLOB NOT NULL
);
PRAGMA user_version = 1;
"""
META = {
    "highest_epoch": 1,
    "highest_counter": 7,
    "complete_epoch": 1,
    "complete_counter": 7,
    "status_epoch": 1700,
    "made_ms": 1600,
    "journal_next": 3,
    "journal_sent": 1,
}


def make(path: Path, app: str, record: Desired, bundle: bytes, earlier: bytes) -> None:
    """Write a replica with one application, whose history names an earlier bundle."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCHEMA)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", META.items())
        row = (app, record.epoch, record.counter, record.digest, record.pack())
        connection.execute("INSERT INTO desired VALUES (?, ?, ?, ?, ?)", row)
        for number, data in enumerate((bundle, earlier)):
            held = (delta.digest(data), delta.compress_fast(data), len(data), number)
            connection.execute("INSERT INTO bundles VALUES (?, ?, ?, ?)", held)
        value = msgpack.packb({"v": 1, "attempt": ["i", "Succeeded", 0]})
        connection.execute("INSERT INTO progress VALUES (?, ?)", (app, value))
        connection.execute("INSERT INTO kept VALUES (?, ?)", (app, delta.short(delta.digest(earlier))))
        for seq in (1, 2):
            entry = msgpack.packb([seq, 10 * seq, app, "drift", {}])
            values = (seq, seq, 10 * seq, "drift", 1, len(entry) + 40, entry)
            connection.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    connection.close()
