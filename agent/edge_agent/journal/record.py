"""Write down what happens, as it happens: each application's documents, the link, the agent's own starts.

An agent that is killed between the end of a sync and its entry finds the sync in its first document after the restart, and
writes it down then; one that is in the journal already is not told twice.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from edge_agent.journal.observe import observed
from edge_agent.journal.store import Journal


class Recorder:
    """Fills a journal. `on_entry` is told after each append."""

    def __init__(self, journal: Journal, clock: Callable[[], float], on_entry: Callable[[], None]) -> None:
        """`clock`: Unix time in seconds."""
        self._journal, self._clock, self._on_entry = journal, clock, on_entry
        self._documents: dict[str, dict[str, Any]] = {}
        self._syncs, self._thinned_until_ms = journal.ends_of_syncs()
        self._offline = False

    def started(self, version: str) -> None:
        """The agent's process began."""
        self._write("", [("agent-started", {"version": version})])

    def document(self, app: str, document: dict[str, Any]) -> None:
        """An application's status became another."""
        before = self._documents.get(app)
        self._documents[app] = document
        happened = observed(before, document)
        if before is None:
            happened = [one for one in happened if not self._is_told(app, one[1])]
        self._write(app, happened)

    def rendered(self, app: str, revision: str) -> None:
        """Another revision of an application was rendered here."""
        self._write(app, [("rendered", {"revision": revision})])

    def removed(self, app: str) -> None:
        """An application is gone from this cluster."""
        if self._documents.pop(app, None) is not None:
            self._write(app, [("removed", {})])

    def rebuilt(self, app: str, details: list[dict[str, Any]]) -> None:
        """Something of the replica was damaged, and is had again; of an application, or (empty) of all."""
        self._write(app, [("replica-rebuilt", detail) for detail in details])

    def disconnected(self) -> None:
        """The link to the hub is down."""
        if not self._offline:
            self._offline = True
            self._write("", [("outage-began", {})])

    def connected(self) -> None:
        """The link to the hub is up."""
        if self._offline:
            self._offline = False
            self._write("", [("outage-ended", {})])

    def hold_began(self, detail: dict[str, Any]) -> None:
        """Somebody on the site holds: `applications`, or the whole cluster."""
        self._write("", [("hold-began", detail)])

    def hold_ended(self, detail: dict[str, Any]) -> None:
        """A hold is over; `how`: expired, released or removed."""
        self._write("", [("hold-ended", detail)])

    def _is_told(self, app: str, detail: dict[str, Any]) -> bool:
        if self._syncs.get(app) == detail.get("startedAt"):
            return True
        return _unix_ms(str(detail.get("finishedAt", ""))) < self._thinned_until_ms

    def _write(self, app: str, happened: list[tuple[str, dict[str, Any]]]) -> None:
        if happened:
            self._journal.append(
                round(self._clock() * 1000), [(app, kind, detail) for kind, detail in happened]
            )
            self._on_entry()


def _unix_ms(text: str) -> int:
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return 0
