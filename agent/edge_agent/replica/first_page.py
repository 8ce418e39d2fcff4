"""The first page of the file: its header, and where the tables are. (SQLite, "Database File Format", 1.3 and 1.6.)

Much of it is always the same: a bit that flips there has SQLite take it for another kind of file, or not read it at all.
"""

from pathlib import Path

from edge_agent.replica.wal import PAGE_BYTES

HEADER_BYTES = 100
_SIZE = slice(28, 32)
_CONSTANT = {
    0: b"SQLite format 3\0",
    16: PAGE_BYTES.to_bytes(2),
    # Written and read with a write-ahead log, nothing reserved, and three fractions.
    18: bytes((2, 2, 0, 64, 32, 32)),
    # The format of its tables, and UTF-8.
    44: (4).to_bytes(4),
    56: (1).to_bytes(4),
}
"""By offset."""


def is_sound(path: Path) -> bool:
    """Say whether a file begins as each of ours does."""
    with path.open("rb") as file:
        found = file.read(HEADER_BYTES)
    return all(found[at : at + len(wanted)] == wanted for at, wanted in _CONSTANT.items())


def restore_constants(path: Path) -> None:
    """Write what is always the same over what is there, and the size that the file has."""
    with path.open("r+b") as file:
        for at, wanted in _CONSTANT.items():
            file.seek(at)
            file.write(wanted)
        file.seek(_SIZE.start)
        file.write((path.stat().st_size // PAGE_BYTES).to_bytes(4))


def replace(path: Path, made: Path) -> None:
    """Take the first page of a file just made: it has its tables in the same places."""
    page = bytearray(made.read_bytes()[:PAGE_BYTES])
    page[_SIZE] = (path.stat().st_size // PAGE_BYTES).to_bytes(4)
    with path.open("r+b") as file:
        file.write(page)
    restore_constants(path)
