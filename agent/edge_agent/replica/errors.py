"""What can go wrong with the file, told apart by SQLite's result code.

Python's exception classes don't tell: `OperationalError` is a full disk, a missing table of a damaged schema, and a typing error of
ours.
"""

import sqlite3
from typing import Literal

Fault = Literal["damaged", "unwritable", "busy", "bug"]
SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError, MemoryError)
"""The second where a message of SQLite quotes what is no text any more, the third where a length is damaged."""


class ReplicaUnwritable(OSError):
    """Nothing was written: the disk is full, say. Try again later."""


class ReplicaDamaged(ReplicaUnwritable):
    """Nothing was written: the file was damaged and has been set aside. Try again: another one is in its place."""


_PRIMARY = 0xFF
_DAMAGED = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_SCHEMA,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_TOOBIG,
    # No statement of ours is wrong on the schema that it is written for.
    sqlite3.SQLITE_ERROR,
}
_UNREADABLE = {
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
}
# The medium has lost what was written there: as good as damaged.
_UNWRITABLE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_ABORT,
}


def fault(error: Exception) -> Fault:
    """Return what an error of SQLite means for the replica."""
    if isinstance(error, UnicodeDecodeError | MemoryError):
        return "damaged"
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return "bug"
    if code in _UNREADABLE or code & _PRIMARY in _DAMAGED:
        return "damaged"
    if code & _PRIMARY in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "busy"
    return "unwritable" if code & _PRIMARY in _UNWRITABLE else "bug"
