"""How the agent gets to its cluster: the Pod's service account, or a kubeconfig.

In a Pod the token file is read again every minute (kubelet renews it). A kubeconfig is read again, its exec
plugin run again, when the API server refuses the credentials. The kubeconfig is the agent's own, from its
command line or environment; one that comes with an application is never read.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent.cluster import light

# An exec credential plugin may ask a server of its own.
CREDENTIALS_TIMEOUT_S = 30.0


class NoAccess(Exception):
    """The way to the cluster can't be read; the message says what was looked for."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where to find the way to the cluster.

    `kubeconfig`: path of a kubeconfig file, or several as in `KUBECONFIG`; None: the Pod's service account,
    and outside of a Pod the user's default kubeconfig. `context`: None is the current one.
    """

    kubeconfig: str | None = None
    context: str | None = None

    @property
    def in_cluster(self) -> bool:
        """Say whether the Pod's service account is used."""
        return self.kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ

    async def configuration(self) -> Any:
        """Read host, TLS files, proxy and token anew; raises `NoAccess`."""
        configuration = light.configuration()()
        # Watches hold a connection each; the number of requests at a time is bounded by the transport.
        configuration.connection_pool_maxsize = 0
        try:
            if self.in_cluster:
                light.in_cluster().load_incluster_config(configuration)
            else:
                async with asyncio.timeout(CREDENTIALS_TIMEOUT_S):
                    await self._read_kubeconfig(configuration)
        except light.refusal() as error:
            raise NoAccess(f"{self}: {error}") from error
        except (
            OSError,
            TimeoutError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            AssertionError,
        ) as error:
            raise NoAccess(f"{self} can't be read: {error!r}") from error
        return configuration

    async def _read_kubeconfig(self, configuration: Any) -> None:
        await light.kubeconfig().load_kube_config(
            config_file=self._kubeconfig_path(), context=self.context, client_configuration=configuration
        )

    def _kubeconfig_path(self) -> str:
        path = self.kubeconfig or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
        if not any(Path(part).expanduser().exists() for part in path.split(os.pathsep) if part):
            raise NoAccess(
                f"no kubeconfig at {path}: run inside a Pod, set KUBECONFIG, or give the path of a kubeconfig file"
            )
        return path

    def __str__(self) -> str:
        if self.in_cluster:
            return "the Pod's service account"
        where = self.kubeconfig or "the default kubeconfig"
        return f"{where}, context {self.context}" if self.context else where
