"""Messages that were ignored: counted by kind, logged once a kind. Never their content."""

from collections import Counter

import structlog

log = structlog.get_logger()


class Rejections:
    """What did not get in."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, kind: str, *, cluster: str = "", reason: str = "", count: int = 1) -> None:
        """Count; the first of its kind is logged."""
        if not count:
            return
        first = kind not in self.counts
        self.counts[kind] += count
        if first:
            log.warning(
                "message ignored; further ones of this kind are only counted",
                kind=kind,
                cluster=cluster,
                reason=reason,
            )
