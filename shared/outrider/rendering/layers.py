"""The layers of a worker's sandbox. Which are required, and what a missing one means: docs/decisions/0002-render-sandbox.md."""

from dataclasses import dataclass
from enum import StrEnum


class Layer(StrEnum):
    """One thing that a rendering can't get past."""

    LIMITS = "limits"
    # Memory, open files, size of a written file, core dumps: setrlimit.
    PRIVILEGES = "privileges"
    # No program gains rights by being started: no_new_privs.
    SYSTEM_CALLS = "system calls"
    # No socket, no program but kubectl, no mount, no tracing: seccomp.
    FILES = "files"
    # No file but the exported source and the tools: Landlock.


@dataclass(frozen=True)
class Protection:
    """Which layers a worker has, and why it lacks the others."""

    present: frozenset[Layer]
    missing: dict[Layer, str]

    @property
    def complete(self) -> bool:
        """Tell whether no layer is missing."""
        return not self.missing
