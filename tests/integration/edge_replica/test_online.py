"""An agent with its link whose replica is damaged: what is lost comes again by itself, and the hub is told."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.edge_link.scripted import SEED, SHOP1, ScriptedHub
from tests.integration.edge_local.conftest import AUTOMATED, LocalSite, config_map

from edge_agent.agent import run as run_agent
from outrider import codec, delta, subjects
from outrider.bus.jetstream import JetStream
from outrider.bus.objects import Objects
from outrider.identity import signatures
from outrider.identity.credentials import Credentials
from outrider.messages import StatusBatch
from outrider.names import AppName
from outrider.tasks import background
from outrider.topology import BUNDLES, STATUS
from outrider_playground.waiting import eventually
from repo_renderer.bundles import Bundles as HubBundles
from repo_renderer.serve_bundles import serve as serve_bundles

from .test_offline import MENU, TILL, change, edit, healed, until_said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.conftest import Hub

    from outrider.bus import Connection

SPEC = {"destination": {"namespace": "shop"}, "syncPolicy": AUTOMATED}


@dataclass
class Online:
    """A site with its hub."""

    site: LocalSite
    scripted: ScriptedHub
    aggregator: Connection

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[None]:
        settings = self.site.settings()
        async with background(run_agent(settings), name="agent"):
            yield

    async def release(self, app: str, *manifests: dict[str, Any]) -> None:
        digest = await self.scripted.bundles.put(list(manifests))
        await self.scripted.release(AppName(app), digest, spec=SPEC)

    async def told(self) -> list[str]:
        """Return the cluster's own documents, as the hub has them."""
        stored = await JetStream(self.aggregator).following(STATUS.name, subjects.status(SHOP1), 1, 1000)
        known: dict[bytes, bytes] = {}
        for one in stored:
            for app, digest, base, frame in StatusBatch.unpack(one.data).entries:
                if app == subjects.CLUSTER and frame is not None:
                    known[digest] = delta.Delta(digest, base, frame).apply(
                        known.get(base or b""), max_bytes=1 << 20
                    )
        return [str(codec.unpack(packed)) for packed in known.values()]


@pytest.fixture
async def online(hub: Hub, site: LocalSite) -> AsyncIterator[Online]:
    settings = hub.edge_settings(SHOP1)
    made = Credentials(settings.user(), (hub.url,), settings.ca_pem, (signatures.public_key(SEED),))
    made.write(site.folder / "shop1.creds")
    site.servers = (hub.url,)
    async with (
        hub.connect("registry") as registry,
        hub.connect("renderer") as renderer,
        hub.connect("aggregator") as aggregator,
    ):
        bundles = HubBundles(Objects(renderer, BUNDLES))
        scripted = ScriptedHub(registry, bundles)
        await registry.subscribe(subjects.ALL_RESYNC, scripted.on_resync)
        async with background(serve_bundles(renderer, bundles), name="bundles"):
            await registry.flush()
            yield Online(site, scripted, aggregator)


async def two_applications(online: Online) -> None:
    await online.release("menu", MENU)
    await online.release("till", TILL)
    for manifest in (MENU, TILL):
        await healed(online.site, manifest)


async def test_a_bundle_that_is_lost_is_fetched_again_and_its_application_goes_on(online: Online) -> None:
    site = online.site
    async with online.agent():
        await two_applications(online)
    change(site.state / "replica.sqlite", "UPDATE bundles SET frame = zeroblob(40)")
    edit(site, MENU, "drifted")
    async with online.agent():
        await healed(site, MENU)
        await site.until_app("menu", lambda app: app["sync"] == "Synced" and "BundleError" not in str(app))
        await until_said(site, "ReplicaRebuilt", "bundles were damaged and are fetched again")


async def test_records_that_are_lost_come_again_and_the_hub_is_told(online: Online) -> None:
    site = online.site
    async with online.agent():
        await two_applications(online)
    path = site.state / "replica.sqlite"
    change(path, "UPDATE desired SET epoch = 7", "UPDATE desired_twin SET epoch = 7")
    edit(site, MENU, "drifted")
    async with online.agent():
        await healed(site, MENU)
        await until_said(site, "ReplicaRebuilt", "what runs stays as it is (menu, till)")

        async def told() -> bool:
            return any("ReplicaRebuilt" in document for document in await online.told())

        await eventually(told, 30)
        assert online.scripted.asked[-1].counter in (0, 2)
        assert any(one.counter == 0 for one in online.scripted.asked[1:])


async def test_a_file_that_is_damaged_while_the_agent_runs_is_filled_again(online: Online) -> None:
    site = online.site
    path = site.state / "replica.sqlite"
    async with online.agent():
        await two_applications(online)
        with path.open("r+b") as file:
            file.write(b"\0" * path.stat().st_size)
        path.with_name(f"{path.name}-wal").write_bytes(b"")
        for n in range(4):
            # What SQLite has in memory hides it for a while.
            await online.release("till", config_map("till", coin=str(n)), config_map("l", t=f"{n}" * 300_000))
            await healed(site, config_map("till", coin=str(n)))
        edit(site, MENU, "drifted")
        await healed(site, MENU)
    edit(site, MENU, "drifted again")
    async with online.agent():
        await healed(site, MENU)
        await healed(site, config_map("till", coin="3"))
