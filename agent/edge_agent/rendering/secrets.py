"""Read the Secrets that say how repositories are reached, when they are needed. They are kept nowhere and shown nowhere."""

from collections.abc import Collection
from typing import Any

from edge_agent.cluster import Cluster, ClusterError, Expired, Forbidden, Kind, Transient
from edge_agent.rendering.credentials import LABELS, TYPES, access_to, repositories_in
from edge_agent.rendering.process import NotNow

SECRET = Kind("", "v1", "Secret")


class NoAccess(Exception):
    """It can't be said how a repository is reached; the message is for a person."""


class RepositorySecrets:
    """The Secrets of the agent's namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace
        self.trouble = ""
        # Why they can't be read, where that is for somebody to mend.

    async def access(self, url: str, projects: Collection[str]) -> dict[str, Any]:
        """Return how a repository is reached, for the process that renders. NoAccess; NotNow while the cluster can't be asked."""
        try:
            found, self.trouble = await self._listed(), ""
        except Forbidden as error:
            # A public repository needs none.
            found, self.trouble = [], f"the Secrets of repositories can't be read: {error}"
        except (Transient, Expired) as error:
            raise NotNow(f"the Secrets of repositories can't be read: {error}") from error
        except ClusterError as error:
            raise NoAccess(f"the Secrets of repositories can't be read: {error}") from error
        access = access_to(url, repositories_in(found), projects)
        if refusal := access.get("refused"):
            raise NoAccess(str(refusal))
        return access

    async def _listed(self) -> list[dict[str, Any]]:
        resource = await self._cluster.discovery.resource(SECRET)
        found: dict[str, dict[str, Any]] = {}
        for label in LABELS:
            selector = f"{label} in ({','.join(TYPES)})"
            async for page in self._cluster.pages(resource, selector, namespace=self._namespace):
                found |= {one["metadata"]["name"]: one for one in page.objects}
        return list(found.values())
