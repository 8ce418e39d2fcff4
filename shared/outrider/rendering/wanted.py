"""One distinct rendering that is asked for, and the places that its sources lie in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outrider.rendering.identity import RenderContext
from outrider.spec.source import ApplicationSource, Origin


@dataclass(frozen=True)
class Place:
    """A Git repository, Helm repository or registry. One URL may be two of them."""

    origin: Origin
    address: str

    @classmethod
    def of(cls, source: ApplicationSource) -> "Place":
        """Return where a source lies."""
        return cls(source.origin, source.address)


@dataclass(frozen=True, eq=False)
class Wanted:
    """One distinct rendering that applications ask for: its sources, and what is known of the application."""

    key: str
    sources: tuple[ApplicationSource, ...]
    context: RenderContext | None
    # None: nothing. With a project, the application itself; without, its release.

    @classmethod
    def parsed(cls, key: str, sources: Sequence[Any], context: Mapping[str, Any]) -> "Wanted":
        """Return what a record wants; ValidationError or TypeError if it can't be read."""
        read = tuple(ApplicationSource.model_validate(source) for source in sources)
        return cls(key, read, RenderContext(**context) if context else None)

    @property
    def places(self) -> tuple[Place, ...]:
        """Where its sources lie, each place once."""
        return tuple(dict.fromkeys(map(Place.of, self.sources)))
