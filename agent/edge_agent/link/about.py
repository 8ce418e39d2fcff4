"""What the hub is told of the agent itself and of its site: the cluster's own document.

Sections of plain values, and standing conditions as applications have them. It travels as one more document of the outbox, under
`subjects.CLUSTER`: as a patch, when something in it became another. What moves all the time (bytes spent, bytes written) is
*sampled*: read when the document is sent for another reason or with a heartbeat, so that it causes no traffic of its own.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

Section = Literal["agent", "replica", "link", "hold", "rendering"]
Document = dict[str, Any]


def _nobody(document: Document) -> None:
    pass


class About:
    """The document, as it stands. `on_change` is told of each one that differs from the one before."""

    def __init__(self) -> None:
        self.on_change: Callable[[Document], None] = _nobody
        self._sections: dict[str, Mapping[str, Any]] = {}
        self._sampled: dict[str, Callable[[], Mapping[str, Any]]] = {}
        self._conditions: dict[str, str] = {}

    def tell(self, section: Section, value: Mapping[str, Any] | None) -> None:
        """Set a section, or remove it. Values are JSON's; times RFC 3339, UTC."""
        before = self._sections.get(section)
        if value is None:
            self._sections.pop(section, None)
        else:
            self._sections[section] = dict(value)
        if before != self._sections.get(section):
            self.refresh()

    def sample(self, section: Section, read: Callable[[], Mapping[str, Any]]) -> None:
        """Have fields of a section read whenever the document is made; they cause none by themselves."""
        self._sampled[section] = read

    def condition(self, kind: str, message: str) -> None:
        """Set a standing condition; an empty message clears it."""
        before = self._conditions.get(kind, "")
        if message:
            self._conditions[kind] = message
        else:
            self._conditions.pop(kind, None)
        if before != message:
            self.refresh()

    def document(self) -> Document:
        """Return the document of this moment."""
        sections = dict(self._sections)
        for name, read in self._sampled.items():
            sections[name] = {**sections.get(name, {}), **read()}
        conditions = [{"type": kind, "message": text} for kind, text in sorted(self._conditions.items())]
        return {**sections, "conditions": conditions}

    def refresh(self) -> None:
        """Tell the document of this moment."""
        self.on_change(self.document())
