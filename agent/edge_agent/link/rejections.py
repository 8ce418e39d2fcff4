"""Messages that were ignored: counted by kind, logged once a kind. Never their content."""

from collections import Counter

import structlog

log = structlog.get_logger()


class Rejections:
    """What did not get in."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, kind: str, reason: Exception | str) -> None:
        """Count one; the first of its kind is logged."""
        self.counts[kind] += 1
        if self.counts[kind] == 1:
            log.warning(
                "message ignored; further ones of this kind are only counted", kind=kind, reason=str(reason)
            )
