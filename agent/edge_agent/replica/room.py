"""Whether a write fits on the disk, before it is begun: one that fills the disk with its log could never be moved into the file."""

import os
from pathlib import Path

from edge_agent.replica.wal import PAGE_BYTES, Wal

SLACK_BYTES = 8 * PAGE_BYTES
# Pages that a write touches beside its own bytes.
PLENTY_BYTES = 4 << 20


SHORT_BYTES = 16 << 20
FULL_BYTES = 1 << 20


def frames_max(path: Path, usual: int, short: int) -> int:
    """Return how many pages the log may hold before they are moved into the file: on a full disk, one transaction's."""
    free_bytes = _free_bytes(path.parent)
    return usual if free_bytes >= SHORT_BYTES else short if free_bytes >= FULL_BYTES else 1


def lacking_bytes(path: Path, wal: Wal, free_pages: int, size_bytes: int) -> int:
    """Return how many bytes the disk lacks for a write of `size_bytes`; 0: it fits.

    It goes to the log first, and then to the file: each may have room that it takes from the disk already.
    """
    free_bytes = _free_bytes(path.parent)
    if free_bytes >= 2 * size_bytes + PLENTY_BYTES:
        return 0
    in_log = max(0, size_bytes + SLACK_BYTES - wal.free_bytes)
    in_file = max(0, size_bytes + 2 * PAGE_BYTES - free_pages * PAGE_BYTES)
    return max(0, in_log + in_file - free_bytes)


def _free_bytes(folder: Path) -> int:
    try:
        found = os.statvfs(folder)
    except OSError:
        # The write will tell.
        return 1 << 62
    return found.f_bavail * found.f_frsize
