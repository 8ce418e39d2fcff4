"""How much a pool may add to the hub's stores: whoever has stolen its identity must not fill them for all others. Pure."""

DAY_S = 86_400.0


class Spent(Exception):
    """Nothing more may be added for a while; the message is a sentence for a person."""


class Budget:
    """So much at once, and again within a day."""

    def __init__(self, max_bytes: int, now_s: float) -> None:
        self._max_bytes = max_bytes
        self._left, self._at_s = float(max_bytes), now_s

    def check(self, size_bytes: int, now_s: float) -> None:
        """Raise Spent if so much may not be added at this moment."""
        self._left = min(self._max_bytes, self._left + (now_s - self._at_s) * self._max_bytes / DAY_S)
        self._at_s = now_s
        if size_bytes > self._left:
            wait_s = (min(size_bytes, self._max_bytes) - self._left) * DAY_S / self._max_bytes
            raise Spent(
                f"this pool has added {self._max_bytes} bytes to the hub's stores within a day, which is all that it may "
                f"(OUTRIDER_POOL_BYTES_PER_DAY of the hub's renderer): {size_bytes} more are taken in {wait_s / 60:.0f} min"
            )

    def spend(self, size_bytes: int, now_s: float) -> None:
        """Note that so much is added; Spent if it may not be."""
        self.check(size_bytes, now_s)
        self._left -= size_bytes
