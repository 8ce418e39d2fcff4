"""Damaged files that were set aside: kept beside the replica for inspection, the newest two, while there is room for them."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from edge_agent.replica.errors import ReplicaUnwritable

log = structlog.get_logger()

KEPT_MAX = 2
# The newest says what happened last; the one before it, whether it happens again.
BESIDE = ("", "-wal", "-shm", "-journal")
# The file, and what SQLite keeps next to it.


def set_aside(path: Path, reason: str) -> None:
    """Rename a damaged file, and drop the oldest copies. ReplicaUnwritable where it can't be renamed."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    copy = path.with_name(f"{path.name}.damaged-{stamp}")
    log.error("replica damaged, set aside", path=str(path), copy=copy.name, reason=reason)
    try:
        # The file before its log: a log whose file is gone is known to be nobody's.
        for suffix in BESIDE:
            file = _beside(path, suffix)
            if file.is_symlink() or file.exists():
                file.replace(_beside(copy, suffix))
    except OSError as error:
        raise ReplicaUnwritable(f"the damaged file can't be set aside: {error}") from error
    drop(path, KEPT_MAX)


def drop(path: Path, keep: int = 0) -> bool:
    """Delete all copies but the newest; return whether there were others."""
    stamps = sorted(
        {file.name.removesuffix("-wal").removesuffix("-shm") for file in path.parent.glob(f"{path.name}.damaged-*")}
    )  # fmt: skip
    doomed = stamps[:-keep] if keep else stamps
    for name in doomed:
        remove(path.with_name(name))
    return bool(doomed)


def remove(path: Path) -> None:
    """Delete a file and what SQLite keeps next to it."""
    for suffix in BESIDE:
        with suppress(OSError):
            _beside(path, suffix).unlink()


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
