"""A site that renders: a cluster with Secrets, a replica on disk, the real process, and the test in place of link and workers."""

import asyncio
import base64
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack
from tests.integration.rendering.servers import PASSWORD, USERNAME, Certificate, SshServer

from edge_agent.cluster import Access, Cluster
from edge_agent.link.about import About
from edge_agent.rendering.outcome import Standing
from edge_agent.rendering.process import Renderer
from edge_agent.rendering.rendering import Rendering
from edge_agent.rendering.requests import Requests
from edge_agent.rendering.secrets import RepositorySecrets
from edge_agent.rendering.settings import RenderingSettings
from edge_agent.rendering.steps import Steps
from edge_agent.rendering.telling import Telling
from edge_agent.replica import Bundles, Database, Holdings, Renderings, opened
from outrider.backoff import Backoff
from outrider.messages import Desired, Generation
from outrider.names import AppName
from outrider.tasks import background
from outrider_playground.kubernetes import SimulatedCluster

NAMESPACE = "outrider"
NEVER_S = 3600.0
# Between polls: what happens in a test, happens because somebody asked.
QUICK = RenderingSettings(poll_interval_s=NEVER_S, restart=Backoff(0.01, 0.2))
UID = b"u" * 16


def secret(
    name: str, kind: str = "repository", label: str = "outrider.dev/secret-type", **values: str
) -> dict[str, Any]:
    """Return a Secret that says how a repository is reached."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {label: kind}},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }


def over_https(certificate: Certificate, url: str, kind: str = "repository", **more: str) -> dict[str, Any]:
    access = {"username": USERNAME, "password": PASSWORD, "tlsCaCert": certificate.pem, **more}
    return secret("https", kind, url=url, **access)


def over_ssh(ssh: SshServer, url: str, kind: str = "repository") -> dict[str, Any]:
    return secret(
        "ssh", kind, "argocd.argoproj.io/secret-type", url=url,
        sshPrivateKey=ssh.private_key, sshKnownHosts=ssh.known_hosts,
    )  # fmt: skip


@dataclass
class Held:
    """The replica's parts over one open file."""

    database: Database
    bundles: Bundles = field(init=False)
    holdings: Holdings = field(init=False)
    renderings: Renderings = field(init=False)

    def __post_init__(self) -> None:
        self.bundles = Bundles(self.database)
        self.holdings = Holdings(self.database, self.bundles)
        self.renderings = Renderings(self.database, self.bundles)


@dataclass
class Site:
    """One life of an agent's rendering."""

    cluster: SimulatedCluster
    folder: Path
    replica: Held
    renderer: Renderer
    settings: RenderingSettings
    client: Cluster
    about: About = field(default_factory=About)
    changes: list[tuple[str, Standing]] = field(default_factory=list)
    journal: list[tuple[str, str]] = field(default_factory=list)
    rendering: Rendering = field(init=False)
    requests: Requests = field(init=False)
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        steps = Steps(self.renderer, RepositorySecrets(self.client, NAMESPACE))
        store = self.replica.renderings
        self.rendering = Rendering(
            steps,
            store,
            Telling(self.about),
            lambda app, revision: self.journal.append((app, revision)),
            self._changed,
            self.settings.poll_interval_s,
            random.Random(3),
        )
        self.requests = Requests(self.rendering, steps, store)

    def _changed(self, app: AppName) -> None:
        standing = self.rendering.standing(app)
        if standing.rendered is not None:
            # What is handed on can be run: it is in the replica, bundle and all.
            assert self.replica.bundles.get(standing.rendered.digest) is not None
        self.changes.append((app, standing))
        self._heard.set()

    def accept(self, app: str, digest: bytes | None, data: bytes | None = None, **spec: Any) -> Desired:
        """Have the replica hold a record."""
        counter = self.replica.holdings.highest.counter + 1
        record = Desired(UID, 1, counter, spec, b"r" * 20, digest)
        self.replica.holdings.accept(AppName(app), record, data, Generation(1, counter))
        return record

    def want(self, app: str, *sources: Mapping[str, Any], **spec: Any) -> None:
        """Take in a record that has the edge render."""
        render = {"sources": list(sources), **spec.pop("render", {})}
        whole = {"destination": {"namespace": "retail"}, "render": render, **spec}
        self.rendering.want(AppName(app), self.accept(app, b"", **whole))

    def start(self) -> None:
        """Begin with what the replica holds, as an agent does."""
        for held in self.replica.holdings.all():
            self.rendering.want(held.app, held.record)

    def standing(self, app: str = "till") -> Standing:
        return self.rendering.standing(AppName(app))

    def revision(self, app: str = "till") -> str:
        rendered = self.standing(app).rendered
        return rendered.revision if rendered else ""

    def error(self, app: str = "till") -> str:
        return dict(self.standing(app).conditions).get("ComparisonError", "")

    def manifests(self, app: str = "till") -> list[dict[str, Any]]:
        rendered = self.standing(app).rendered
        assert rendered is not None
        data = self.replica.bundles.get(rendered.digest)
        assert data is not None
        found: list[dict[str, Any]] = msgpack.unpackb(data)
        return found

    def names(self, app: str = "till") -> set[str]:
        return {manifest["metadata"]["name"] for manifest in self.manifests(app)}

    async def until(self, true: Callable[[], Any], within_s: float = 40) -> None:
        """Wait for something that a change of an application brings."""
        async with asyncio.timeout(within_s):
            while not true():
                self._heard.clear()
                await self._heard.wait()

    async def at(self, revision: str, app: str = "till") -> None:
        await self.until(lambda: self.revision(app) == revision and not self.error(app))

    async def look(self, app: str = "till") -> dict[str, Any]:
        return await self.requests.refresh(app)

    @property
    def conditions(self) -> dict[str, str]:
        return {one["type"]: one["message"] for one in self.about.document()["conditions"]}


@contextlib.contextmanager
def replica(folder: Path) -> Iterator[Held]:
    with opened(folder / "replica.sqlite") as database:
        yield Held(database)


@contextlib.asynccontextmanager
async def running(
    folder: Path, cluster: SimulatedCluster, settings: RenderingSettings = QUICK
) -> AsyncIterator[Site]:
    """One life of it, over the folder's replica and clones."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    kubeconfig = folder / "kubeconfig"
    await asyncio.to_thread(cluster.write_kubeconfig, kubeconfig)
    with replica(folder) as held:
        async with (
            Cluster(Access(str(kubeconfig))) as client,
            Renderer(settings, folder / "rendering", random.Random(4)) as renderer,
        ):
            site = Site(cluster, folder, held, renderer, settings, client)
            async with background(site.rendering.run(), site.requests.run(), name="rendering"):
                yield site


def config_map(name: str, **data: str) -> str:
    return json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data or {"a": "1"}}
    )
