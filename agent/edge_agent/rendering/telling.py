"""What the cluster's own document says of rendering here: how many applications, which repositories, and what is wrong with those."""

from collections.abc import Iterable
from typing import Any

from edge_agent.link.about import About
from edge_agent.rendering.places import Watched

RENDERER_UNAVAILABLE = "RendererUnavailable"
SECRETS_UNREADABLE = "RepositorySecretsUnreadable"
# Types of condition.
REPOSITORIES_MAX = 20
ERROR_MAX_CHARS = 200
DEATHS_TOLD = 3
# One is no news: it is started again at once.


class Telling:
    """Tells it; a document that is as it was before goes nowhere."""

    def __init__(self, about: About) -> None:
        self._about = about

    def rendering(self, applications: int, watched: Iterable[Watched]) -> None:
        """Say what is rendered here."""
        if not applications:
            self._about.tell("rendering", None)
            return
        repositories = sorted((_repository(one) for one in watched), key=lambda one: str(one["url"]))
        value: dict[str, Any] = {
            "applications": applications,
            "repositories": repositories[:REPOSITORIES_MAX],
        }
        if len(repositories) > REPOSITORIES_MAX:
            value["more_repositories"] = len(repositories) - REPOSITORIES_MAX
        self._about.tell("rendering", value)

    def unavailable(self, why: str) -> None:
        """Say why nothing can be rendered; empty: it can."""
        self._about.condition(RENDERER_UNAVAILABLE, why)

    def secrets(self, trouble: str) -> None:
        """Say why the site's credentials can't be read; empty: they can."""
        self._about.condition(SECRETS_UNREADABLE, trouble)


def _repository(watched: Watched) -> dict[str, str]:
    wrong = next((head for head in watched.heads.values() if isinstance(head, str)), "")
    told = {"url": watched.place.url}
    return {**told, "error": wrong[:ERROR_MAX_CHARS]} if wrong else told
