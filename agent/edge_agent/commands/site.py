"""What verbs work with: the applications of this cluster, and the way to say their status anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.commands.arguments import CannotDo, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.applications import Applications
    from edge_agent.applications.state import State
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.rendering.requests import Requests as RenderingRequests
    from outrider.messages import Command
    from outrider.names import AppName, ClusterName


@dataclass(frozen=True, slots=True)
class Site:
    """Given to every verb."""

    cluster: ClusterName
    applications: Applications
    resend: Callable[[list[AppName] | None], None]
    rendering: RenderingRequests | None = None
    """Of what is rendered here; None: nothing is."""

    def app(self, command: Command) -> str:
        """Return the application that a command names. Raises `CannotDo` for one that isn't here."""
        app = text(command.arguments, "app")
        if app not in self.applications.names():
            raise CannotDo(f"application {app!r} is not on cluster {self.cluster!r} (yet)")
        return app

    def renders(self, app: str) -> RenderingRequests | None:
        """Return whom to ask about an application's rendering; None: it is not done here."""
        return self.rendering if self.rendering is not None and self.rendering.renders(app) else None

    def about(self, command: Command) -> tuple[State, Surroundings]:
        """Return what is known of the application that a command names. Raises `CannotDo`."""
        return self.applications.about(self.app(command))
