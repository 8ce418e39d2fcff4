"""setrlimit: how much a process can take. Nothing here needs rights, and nothing here can be undone."""

import resource
import sys
from dataclasses import dataclass

_ADDRESS_SPACE_EXTRA_BYTES = 8 * 1024**3
# Go reserves address space far beyond what it uses; this only bounds what is absurd.
_OPEN_FILES_MAX = 128


@dataclass(frozen=True)
class Limits:
    """What a worker may take; the same for the kubectl that it starts."""

    memory_bytes: int
    cpu_s: int
    # Of one process in its whole life; a worker is replaced after a number of renderings.
    written_file_bytes: int
    output_bytes: int


def apply(limits: Limits, *, written_file_bytes: int) -> None:
    """Put the limits on this process and all that it starts."""
    if sys.platform == "linux":
        # Elsewhere these two are not enforced, or can't be set at all.
        _lower(resource.RLIMIT_DATA, limits.memory_bytes)
        _lower(resource.RLIMIT_AS, limits.memory_bytes + _ADDRESS_SPACE_EXTRA_BYTES)
    _lower(resource.RLIMIT_CPU, limits.cpu_s)
    _lower(resource.RLIMIT_FSIZE, written_file_bytes)
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES_MAX)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))
