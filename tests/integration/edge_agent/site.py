"""A cluster to test against, a person's hands on it, and the agent's Kubernetes side at work."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge_agent.applications import Applications, Desired, MemoryProgress, Refresh, Settings, Sync
from edge_agent.cluster import Access, Cluster, Key, Kind, NotFound, Pace
from edge_agent.cluster.transport import Request
from outrider.backoff import Backoff

if TYPE_CHECKING:
    from edge_agent.applications.worker import Worker
    from edge_agent.hold.holds import Holds
    from outrider_playground.kubernetes import SimulatedCluster

# How long a condition is awaited. A real cluster may be slow; none of the tests waits for this when it passes.
PATIENCE_S = float(__import__("os").environ.get("P", "30"))

CONFIG_MAP = Kind("", "v1", "ConfigMap")
SECRET = Kind("", "v1", "Secret")
SERVICE = Kind("", "v1", "Service")
NAMESPACE = Kind("", "v1", "Namespace")
DEPLOYMENT = Kind("apps", "v1", "Deployment")
DEFINITION = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")

Predicate = Callable[[dict[str, Any] | None], Any]


@dataclass
class Site:
    """A cluster, a namespace of the test's own on it, and a person's hands."""

    access: Access
    cluster: Cluster
    """The person's client: what it does, the agent must find out."""
    namespace: str
    simulated: SimulatedCluster | None

    def key(self, kind: Kind, name: str, namespace: str | None = None) -> Key:
        return Key(kind.group, kind.kind, self.namespace if namespace is None else namespace, name)

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        try:
            return await self.cluster.get(kind, self.key(kind, name, namespace))
        except NotFound:
            return None

    async def edit(
        self, kind: Kind, name: str, patch: dict[str, Any], namespace: str | None = None
    ) -> dict[str, Any]:
        """Merge-patch an object, as a person with kubectl would."""
        key = self.key(kind, name, namespace)
        resource = await self.cluster.discovery.resource(kind)
        query = (("fieldManager", "by-hand"),)
        request = Request("PATCH", resource.path(key), str(key), query, patch, "application/merge-patch+json")
        answer: dict[str, Any] = (await self.cluster._transport.request(request))[1]
        return answer

    async def create(self, manifest: dict[str, Any], namespace: str | None = None) -> dict[str, Any]:
        kind = Kind("", "", "")
        group, _, version = manifest["apiVersion"].rpartition("/")
        kind = Kind(group, version, manifest["kind"])
        resource = await self.cluster.discovery.resource(kind)
        path = resource.collection(self.namespace if namespace is None else namespace)
        answer: dict[str, Any] = (
            await self.cluster._transport.request(Request("POST", path, str(kind), body=manifest))
        )[1]
        return answer

    async def delete(self, kind: Kind, name: str, namespace: str | None = None) -> None:
        live = await self.get(kind, name, namespace)
        if live is not None:
            with contextlib.suppress(NotFound):
                await self.cluster.delete(kind, self.key(kind, name, namespace), uid=live["metadata"]["uid"])

    async def until(
        self, kind: Kind, name: str, true: Predicate, namespace: str | None = None
    ) -> dict[str, Any] | None:
        """Await a state of an object; None is given for one that isn't there."""
        resource = await self.cluster.discovery.resource(kind)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                # Without a version a watch begins with what is there, and goes on from that.
                async with self.cluster.watch(resource, "", "", within_s=20, grace_s=5) as events:
                    live = await self.get(kind, name, namespace)
                    if true(live):
                        return live
                    async for event in events:
                        if event.type == "BOOKMARK" or event.object["metadata"]["name"] != name:
                            continue
                        live = await self.get(kind, name, namespace)
                        if true(live):
                            return live


@dataclass
class Agent:
    """The agent's Kubernetes side, running, and what it said."""

    site: Site
    cluster: Cluster
    store: MemoryProgress
    settings: Settings
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    removed: list[tuple[str, tuple[int, int]]] = field(default_factory=list)
    bundles: dict[str, str] = field(default_factory=dict)
    """What the replica holds: bundles by short digest."""
    hub: dict[bytes, str] = field(default_factory=dict)
    """What the hub has: bundles by digest."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    holds: Holds | None = None
    applications: Applications = field(init=False)
    _heard: asyncio.Event = field(default_factory=asyncio.Event)
    _generation: int = 0

    def __post_init__(self) -> None:
        self.applications = Applications(
            self.cluster,
            store=self.store,
            on_status=self._on_status,
            on_removed=self._on_removed,
            obtain=self._obtain,
            manifests_of=lambda digest: json.loads(self.bundles[digest]),
            clock=self.clock,
            holds=self.holds,
            settings=self.settings,
            pace=Pace(retry=Backoff(0.02, 0.2), refused=Backoff(0.05, 0.5)),
            chance=random.Random(7),
        )

    async def _obtain(self, digest: bytes) -> None:
        if digest not in self.hub:
            raise LookupError("the hub does not have it")
        self.bundles[digest[:8].hex()] = self.hub[digest]

    def _on_status(self, app: str, document: dict[str, Any]) -> None:
        json.dumps(document)
        self.said.append((app, document))
        self._heard.set()

    def _on_removed(self, app: str, generation: tuple[int, int]) -> None:
        self.removed.append((app, generation))
        self._heard.set()

    def desire(
        self,
        app: str,
        manifests: list[dict[str, Any]],
        *,
        annotations: dict[str, str] | None = None,
        **spec: Any,
    ) -> None:
        """Say what an application should be; by default it syncs, prunes and heals by itself."""
        self._generation += 1
        sync = spec.pop("sync", {"automated": {"prune": True, "selfHeal": True}})
        whole = {"destination": {"namespace": self.site.namespace}, "syncPolicy": sync, **spec}
        text = json.dumps(manifests)
        digest = digest_of(manifests)[:8].hex()
        self.bundles[digest] = text
        self.applications.set_desired(
            Desired(
                app=app,
                uid=f"uid-{app}",
                generation=(1, self._generation),
                revision=f"r{self._generation}",
                digest=digest,
                annotations=annotations or {},
                spec=whole,
                manifests=lambda: json.loads(text),
            )
        )

    def remove(self, app: str, *, cascade: bool) -> None:
        self._generation += 1
        self.applications.remove(app, f"uid-{app}", cascade=cascade, generation=(1, self._generation))

    def ask(self, app: str, **request: Any) -> None:
        self.applications.request(app, Sync(id=uuid.uuid4().hex, **request))

    def refresh(self, app: str, *, hard: bool = False) -> None:
        self.applications.request(app, Refresh(hard))

    async def until(self, app: str, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Await a status document."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                document = self.applications.document(app)
                if document is not None and true(document):
                    return document
                self._heard.clear()
                await self._heard.wait()

    async def until_removed(self, app: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while app not in [name for name, _ in self.removed]:
                self._heard.clear()
                await self._heard.wait()

    async def until_synced(self, app: str) -> dict[str, Any]:
        revision = f"r{self._generation}"
        return await self.until(
            app, lambda document: synced(document) and document["sync"]["revision"] == revision
        )

    async def until_watching(self, *kinds: Kind) -> None:
        """Await that kinds are followed: from here on every change is seen as it happens."""
        async with asyncio.timeout(PATIENCE_S):
            while not all(self.follows(kind) for kind in kinds):  # noqa: ASYNC110 nothing tells it
                await asyncio.sleep(0)

    async def until_broken(self, kind: Kind) -> None:
        """Await that a watch has found out that it is cut."""
        async with asyncio.timeout(PATIENCE_S):
            while self.follows(kind):  # noqa: ASYNC110 nothing tells it
                await asyncio.sleep(0)

    async def until_known(self, key: Key, resource_version: str) -> None:
        """Await that the watch has told an object's state."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                live = self.applications._around.inventory.get(key)
                if live and live.resource_version == resource_version:
                    return
                await asyncio.sleep(0)

    async def until_looked_around(self) -> None:
        """Await that leftovers have been looked for, which a first start does once."""
        async with asyncio.timeout(PATIENCE_S):
            while self.applications._around.leftovers._kinds is None:  # noqa: ASYNC110 nothing tells it
                await asyncio.sleep(0)

    def timers(self) -> list[float]:
        """Return in how many seconds passes are due."""
        now_s = asyncio.get_running_loop().time()
        workers = self.applications._workers.values()
        return [worker._timer.when() - now_s for worker in workers if worker._timer is not None]

    def follows(self, kind: Kind) -> bool:
        watched = self.applications._around.watches.get((kind.group, kind.kind))
        return watched is not None and watched.kind == kind and watched.open

    async def settle(self, app: str) -> None:
        """Await that the application has nothing to do at this moment."""
        worker = self.applications._workers[app]
        async with asyncio.timeout(PATIENCE_S):
            while worker._task is not None or self._is_due(worker):
                await (asyncio.wait([worker._task]) if worker._task else asyncio.sleep(0))

    @staticmethod
    def _is_due(worker: Worker) -> bool:
        timer = worker._timer
        return timer is not None and timer.when() <= asyncio.get_running_loop().time()


def digest_of(manifests: list[dict[str, Any]]) -> bytes:
    """Return what stands for a bundle's digest."""
    return hashlib.sha256(json.dumps(manifests).encode()).digest()


def synced(document: dict[str, Any]) -> bool:
    return bool(document["sync"]["status"] == "Synced")


def finished(document: dict[str, Any]) -> bool:
    return document.get("operationState", {}).get("phase") in ("Succeeded", "Failed")


def failed(document: dict[str, Any]) -> bool:
    return bool(document.get("operationState", {}).get("phase") == "Failed")


def results(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return status and message by object name of the last sync."""
    return {
        resource["name"]: (resource["status"], resource["message"])
        for resource in document["operationState"]["syncResult"]["resources"]
    }


def resources(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {resource["name"]: resource for resource in document["resources"]}


def conditions(document: dict[str, Any]) -> dict[str, str]:
    return {condition["type"]: condition["message"] for condition in document["conditions"]}


def config_map(
    name: str, data: dict[str, str] | None = None, namespace: str = "", **annotations: str
) -> dict[str, Any]:
    """Annotations are Argo CD's, by their last part: `sync_wave="1"`."""
    metadata: dict[str, Any] = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if annotations:
        metadata["annotations"] = {
            f"argocd.argoproj.io/{key.replace('_', '-')}": value for key, value in annotations.items()
        }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {"a": "1"}}


def deployment(name: str, image: str = "shop/till:1", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
            **spec,
        },
    }


@contextlib.asynccontextmanager
async def running(
    site: Site, settings: Settings, store: MemoryProgress | None = None, **more: Any
) -> AsyncIterator[Agent]:
    """Run an agent's Kubernetes side; leaving ends it as a kill would: nothing is tidied up."""
    async with Cluster(site.access) as cluster, asyncio.TaskGroup() as tasks:
        agent = Agent(site, cluster, store or MemoryProgress(), settings, **more)
        task = tasks.create_task(agent.applications.run())
        try:
            yield agent
        finally:
            task.cancel()
