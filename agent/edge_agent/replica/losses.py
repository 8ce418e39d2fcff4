"""What of the replica was not as it was written, and is not believed: who must know at once is told at once, the rest is kept for
whoever looks after the replica.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger()

What = Literal[
    "file",
    "newest",
    "record",
    "copy",
    "progress",
    "core",
    "rendering",
    "archive",
    "hold",
    "journal",
    "numbers",
    "bundle",
]
"""`copy`: one of a record's two; `newest`: what was written last, by the end of its log."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that is lost. `name`: the application's, or a digest."""

    what: What
    name: str = ""
    why: str = ""


class Losses:
    """All of one replica. Not for two threads at a time."""

    def __init__(self) -> None:
        self.waiting: list[Loss] = []
        self.observers: list[Callable[[Loss], None]] = []
        # Told of each loss at once, in any thread, inside the replica's lock.
        self._told: set[Loss] = set()

    def add(self, loss: Loss, *, once: bool = False) -> bool:
        """Take in a loss; False: it was told before. `once`: it is going to be met again, since it can't be dropped."""
        if loss in self._told:
            return False
        if once:
            self._told.add(loss)
        log.warning("replica lost something", what=loss.what, name=loss.name, reason=loss.why)
        self.waiting.append(loss)
        for observer in self.observers:
            observer(loss)
        return True

    def take(self) -> list[Loss]:
        """Return what was lost since the last call."""
        found, self.waiting = self.waiting, []
        return found
