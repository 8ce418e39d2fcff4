"""What people ask of the hub, one thing after the other for each application, asked again until the hub has taken it."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from outrider import subjects
from outrider.bus import BusError
from outrider.bus.services import RequestRefused, ask
from outrider_playground.demo.hub import Hub

AGAIN_AFTER_S = 0.3


def application(name: str, cluster: str, path: str, repo_url: str) -> dict[str, Any]:
    """Return an Application with a namespace of its own."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "finalizers": ["resources-finalizer.argocd.argoproj.io"]},
        "spec": {
            "project": "default",
            "source": {"repoURL": repo_url, "path": path, "targetRevision": "main"},
            "destination": {"name": cluster, "namespace": name},
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["CreateNamespace=true"],
            },
        },
    }


@dataclass
class People:
    """Requests that wait: manifests to apply, or None to delete. Those of one application keep their order."""

    hub: Hub
    _waiting: dict[str, deque[dict[str, Any] | None]] = field(default_factory=dict)
    _asked: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    refusals: dict[str, str] = field(default_factory=dict)
    # the last one of each application that still waits

    def ask(self, name: str, manifest: dict[str, Any] | None) -> None:
        """Have an application applied, or deleted, after what was asked of it before."""
        self._waiting.setdefault(name, deque()).append(manifest)
        self._idle.clear()
        self._asked.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            if not self._waiting:
                self._idle.set()
                self._asked.clear()
                await self._asked.wait()
            for name in list(self._waiting):
                await self._next(name)
            await asyncio.sleep(AGAIN_AFTER_S if self._waiting else 0)

    async def until_done(self) -> None:
        """Wait until the hub has taken everything."""
        await self._idle.wait()

    async def _next(self, name: str) -> None:
        manifest = self._waiting[name][0]
        if not await self._taken(name, manifest):
            return
        self.refusals.pop(name, None)
        self._waiting[name].popleft()
        if not self._waiting[name]:
            del self._waiting[name]

    async def _taken(self, name: str, manifest: dict[str, Any] | None) -> bool:
        try:
            if manifest is None:
                await ask(self.hub.connection, subjects.registry("app.delete"), {"name": name}, timeout_s=5)
            else:
                asked = {"manifest": manifest}
                await ask(self.hub.connection, subjects.registry("app.apply"), asked, timeout_s=5)
        except RequestRefused as error:
            self.refusals[name] = str(error)
            # What was asked before was carried out, and the answer was lost.
            return manifest is None and "there is no application" in str(error)
        except BusError as error:
            self.refusals[name] = str(error)
            return False
        return True
