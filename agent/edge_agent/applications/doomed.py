"""What is live and no longer wanted: the objects that are this application's and that its desired set
doesn't have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.sync import Doomed, options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.applications.inventory import Live
    from edge_agent.applications.state import Index, State
    from edge_agent.applications.surroundings import Surroundings


def doomed(state: State, index: Index | None, around: Surroundings) -> Iterable[Doomed]:
    """Yield them in no order, those that must stay with the reason."""
    for live in around.inventory.tracked(state.app):
        if index is not None and live.key in index.entries:
            continue
        yield Doomed(
            live.key, live.kind, live.uid, live.resource_version, live.wave, _kept(live, state, index)
        )


def _kept(live: Live, state: State, index: Index | None) -> str:
    if live.deleting:
        return "is being deleted already"
    option = "Prune" if index is not None else "Delete"
    word = live.options.get(option) or state.policy.options.get(option)
    if word == "confirm":
        return f"{option}=confirm waits for a person"
    if not options.enabled(option, live.options, state.policy.options, default=True):
        return f"{option}=false on it"
    return ""
