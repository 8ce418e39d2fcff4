"""Up to which generation every record of this cluster has been seen. Pure.

Generations of one epoch are numbered without holes when the hub writes them, so a number that is skipped on the wire means
that a message was lost: the agent asks for a resync. An answer to that says how far it is complete, whatever was skipped.
"""

from collections.abc import Collection

from outrider.messages import Generation


class Frontier:
    """`complete`, and what has been seen beyond it."""

    def __init__(self, complete: Generation) -> None:
        self.complete = complete
        self._ahead: set[int] = set()

    def note(self, generation: Generation) -> None:
        """A record was stored, or was seen to be outdated."""
        if generation.epoch != self.complete.epoch or generation.counter <= self.complete.counter:
            return
        self._ahead.add(generation.counter)
        counter = self.complete.counter
        while counter + 1 in self._ahead:
            counter += 1
            self._ahead.discard(counter)
        self.complete = Generation(self.complete.epoch, counter)

    def has_gap_before(self, generation: Generation, waiting: Collection[Generation] = ()) -> bool:
        """Whether a record was skipped before this one; `waiting` have arrived, but are not stored yet."""
        if generation.epoch != self.complete.epoch:
            return generation.epoch > self.complete.epoch
        return any(
            counter not in self._ahead and Generation(generation.epoch, counter) not in waiting
            for counter in range(self.complete.counter + 1, generation.counter)
        )

    def complete_up_to(self, generation: Generation) -> None:
        """The hub has sent all that there is up to here."""
        if generation > self.complete:
            ahead = self._ahead if generation.epoch == self.complete.epoch else set()
            self.complete = generation
            self._ahead = {counter for counter in ahead if counter > generation.counter}
