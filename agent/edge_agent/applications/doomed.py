"""What is live and no longer wanted: the objects that are this application's and that its desired set
doesn't have. Hooks are not among them: they come and go with syncs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.applications.approval import is_approved
from edge_agent.sync import Doomed, options
from edge_agent.sync.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.applications.inventory import Live
    from edge_agent.applications.state import Index, State
    from edge_agent.applications.surroundings import Surroundings

_CONFIRM = "confirm"


def doomed(
    state: State, index: Index | None, around: Surroundings, asked: options.Options | None = None
) -> Iterable[Doomed]:
    """Yield them in no order, those that must stay with the reason; without an index, all of the
    application's objects. `asked`: options that stand in place of the application's.
    """
    general = state.policy.options if asked is None else asked
    option = "Prune" if index is not None else "Delete"
    project = Project.of(state.desired.spec if state.desired else {})
    for live in around.inventory.tracked(state.app):
        if index is not None and (live.key in index.entries or live.hook):
            continue
        word = live.options.get(option, general.get(option))
        yield Doomed(
            live.key,
            live.kind,
            live.uid,
            live.resource_version,
            live.wave,
            _kept(live, option, word, project),
            confirm=word == _CONFIRM and not is_approved(live.key, state),
            going=live.deleting,
            last=options.enabled("PruneLast", live.options, general),
        )


def _kept(live: Live, option: str, word: str | None, project: Project) -> str:
    if live.deleting:
        return ""
    if word == "false":
        return f"{option}=false on it"
    if option == "Delete" and live.key.kind == "CustomResourceDefinition":
        return "a definition stays: with it would go every object of its kind, whoever's they are"
    refusal = project.refusal(live.key)
    return f"left: {refusal}" if refusal else ""
