"""Serve the agent's socket in its place. An agent that can't have it goes on without, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from edge_agent.local.place import SOCKET, NoSocket, listening
from edge_agent.local.server import Server

if TYPE_CHECKING:
    from edge_agent.link.about import About
    from edge_agent.local.verbs import Verbs
    from edge_agent.settings import Settings

log = structlog.get_logger()

CONDITION = "LocalCommands"


async def serve(verbs: Verbs, settings: Settings, about: About) -> None:
    """Serve until cancelled. FolderInUse where another agent listens."""
    path = settings.socket or settings.state / SOCKET
    try:
        with listening(path) as listener:
            await Server(listener, verbs.all()).run()
    except NoSocket as error:
        log.warning("local commands not served", reason=str(error))
        about.condition(CONDITION, f"commands on the site are not served: {error}")
