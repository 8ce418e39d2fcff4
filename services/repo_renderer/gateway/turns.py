"""Which of a pool's renderers works, and which of them are there. Pure.

The one that came first works for as long as it is heard of; the others stand by, so that each repository is fetched by one and each
bundle sent once. A process that was started again takes over from its predecessor of the same name at once. Who was silent for
longer than a question of it may wait is gone.
"""

from dataclasses import dataclass

SILENCE_S = 30.0
# A renderer asks every 10 s, and its link may have to come back.
RENDERERS_MAX = 16


class TooMany(Exception):
    """More renderers of one pool than are of use."""


@dataclass
class _Seen:
    name: str
    version: str
    arrived: int
    heard_s: float


class Turns:
    """The renderers of one pool. Times are of one clock, in seconds."""

    def __init__(self, now_s: float) -> None:
        self.last_word_s = now_s
        # of any of them; before there was one, since when one could have come
        self._seen: dict[bytes, _Seen] = {}
        self._arrived = 0
        self._holder: bytes | None = None

    def heard(self, run: bytes, name: str, version: str, now_s: float) -> None:
        """Note a word of a renderer; TooMany if it is one more than may be."""
        known = self._alive(now_s).get(run)
        if known is None and len(self._seen) >= RENDERERS_MAX:
            raise TooMany(f"{RENDERERS_MAX} renderers of this pool are connected already")
        self.last_word_s = now_s
        if known is not None:
            known.heard_s = now_s
            return
        self._arrived += 1
        self._seen[run] = _Seen(name, version, self._arrived, now_s)

    def left(self, run: bytes) -> None:
        """Note that a renderer is being stopped."""
        self._seen.pop(run, None)

    def holder(self, now_s: float) -> bytes | None:
        """Return the renderer that works; None if there is none."""
        alive = self._alive(now_s)
        newest = {seen.name: run for run, seen in alive.items()}
        # In the order of arrival: of two of one name the later one is left.
        candidates = set(newest.values())
        if self._holder not in candidates:
            self._holder = min(candidates, key=lambda run: alive[run].arrived, default=None)
        return self._holder

    def renderers(self, now_s: float) -> list[tuple[str, str]]:
        """Return name and version of all that are there, the one that works first."""
        holder = self.holder(now_s)
        alive = sorted(self._alive(now_s).items(), key=lambda item: (item[0] != holder, item[1].arrived))
        return [(seen.name, seen.version) for _, seen in alive]

    def next_silence_s(self, now_s: float) -> float:
        """Return in how many seconds somebody is gone, if nothing is heard until then."""
        words = [seen.heard_s for seen in self._alive(now_s).values()] or [self.last_word_s]
        left_s = min(words) + SILENCE_S - now_s
        return left_s if left_s > 0 else SILENCE_S

    def _alive(self, now_s: float) -> dict[bytes, _Seen]:
        for run in [run for run, seen in self._seen.items() if now_s - seen.heard_s >= SILENCE_S]:
            del self._seen[run]
        return self._seen
