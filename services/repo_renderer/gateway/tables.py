"""What of the hub's buckets is one pool's: a table of entries with their revisions, to be read by asking what is newer. No I/O."""

from collections.abc import Iterable
from typing import NamedTuple

from outrider.pool_messages import RENDERINGS, REPOSITORIES, SOURCES, table_digest
from repo_renderer.gateway.bell import Bell

ANSWER_MAX_BYTES = 192 << 10
# Of entries, before they are compressed. One that is larger goes alone.
KEYS_MAX = 4096


class Row(NamedTuple):
    """A value, and its entry's revision."""

    revision: int
    value: bytes


Entry = tuple[str, int, bytes]


class Table:
    """One table of one pool."""

    def __init__(self, changed: Bell) -> None:
        """`changed` rings on each change."""
        self._rows: dict[str, Row] = {}
        self._digest: bytes | None = None
        self._changed = changed

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    @property
    def digest(self) -> bytes:
        """Over all keys and revisions."""
        if self._digest is None:
            self._digest = table_digest({key: row.revision for key, row in self._rows.items()})
        return self._digest

    def get(self, key: str) -> Row | None:
        """Return a row."""
        return self._rows.get(key)

    def put(self, key: str, row: Row) -> None:
        """Take in a row, unless a newer one is here."""
        known = self._rows.get(key)
        if known is None or known.revision < row.revision:
            self._rows[key] = row
            self._touched()

    def drop(self, key: str) -> None:
        """Forget a row."""
        if self._rows.pop(key, None) is not None:
            self._touched()

    def _touched(self) -> None:
        self._digest = None
        self._changed.ring()

    def since(self, revision: int) -> tuple[list[Entry], bool]:
        """Return what is newer, in the order of revisions, and whether there is more of it than one answer holds."""
        newer = sorted((row.revision, key) for key, row in self._rows.items() if row.revision > revision)
        return self._bounded(key for _, key in newer)

    def entries(self, keys: Iterable[str]) -> tuple[list[Entry], bool]:
        """Return the rows of these keys, as far as there are any, and whether one answer does not hold them all."""
        return self._bounded(key for key in keys if key in self._rows)

    def _bounded(self, keys: Iterable[str]) -> tuple[list[Entry], bool]:
        found: list[Entry] = []
        size = 0
        for key in keys:
            row = self._rows[key]
            size += len(key) + len(row.value)
            if found and size > ANSWER_MAX_BYTES:
                return found, True
            found.append((key, row.revision, row.value))
        return found, False

    def keys_after(self, after: str) -> tuple[list[tuple[str, int]], bool]:
        """Return keys and revisions in the order of keys, and whether there are further ones."""
        keys = sorted(key for key in self._rows if key > after)
        return [(key, self._rows[key].revision) for key in keys[:KEYS_MAX]], len(keys) > KEYS_MAX


class Tables:
    """All tables of one pool, and the bell that rings when one of them changes."""

    def __init__(self) -> None:
        self.changed = Bell()
        self.named = {name: Table(self.changed) for name in (SOURCES, REPOSITORIES, RENDERINGS)}

    def digests(self) -> dict[str, bytes]:
        """Return the digest of each."""
        return {name: table.digest for name, table in self.named.items()}
