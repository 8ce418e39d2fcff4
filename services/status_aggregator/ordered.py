"""Names in order, for paging: cheap to add to, sorted when somebody looks."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class OrderedNames:
    """A set of names, handed out in their order."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._sorted = True

    def __len__(self) -> int:
        return len(self._names)

    def add(self, name: str) -> None:
        """Add a name that is not there."""
        self._sorted = self._sorted and (not self._names or self._names[-1] < name)
        self._names.append(name)

    def remove(self, name: str) -> None:
        """Remove a name that is there."""
        names = self._in_order()
        del names[bisect_left(names, name)]

    def after(self, name: str) -> Iterator[str]:
        """Yield the names after the given one, which need not be there. Not valid across a change."""
        names = self._in_order()
        for index in range(bisect_right(names, name), len(names)):
            yield names[index]

    def _in_order(self) -> list[str]:
        if not self._sorted:
            # What was sorted before is one run: this takes a time proportional to the length.
            self._names.sort()
            self._sorted = True
        return self._names
