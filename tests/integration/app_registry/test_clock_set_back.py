"""A hub whose clock is set back."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app_registry.identities import Identities
from app_registry.service import run
from outrider.bus import BusSettings, Connection, connected
from outrider.bus.embedded import EmbeddedSettings
from outrider.bus.embedded import running as nats_running
from outrider.bus.jetstream import JetStream
from outrider.bus.model import User
from outrider.identity import hub_state
from outrider.identity.keys import generate
from outrider.names import AppName, ClusterName
from outrider.tasks import background

from .conftest import Fleet, application, bundle, eventually, settings
from .test_clusters import is_let_in

NOW = datetime.now(UTC)
SHOPS = [ClusterName(f"shop{number}") for number in range(3)]


class Registrar:
    """Issues and revokes by a clock that is set."""

    def __init__(self, hub: Any, connection: Connection) -> None:
        self.now, self._hub, self._connection = NOW + timedelta(hours=2), hub, connection
        self.keys = {name: generate("user") for name in SHOPS}

    def identities(self) -> Identities:
        """As after a restart."""
        keys = hub_state.RegistryKeys.load(self._hub.state / "registry.json")
        bus = self._hub.settings("registry")
        return Identities(keys, JetStream(self._connection), bus, lambda: self.now)

    def issue(self, name: ClusterName) -> BusSettings:
        issued = self.identities().issue(name, self.keys[name].public)
        user = User(name, issued.jwt, self.keys[name].seed)
        return BusSettings(servers=(self._hub.url,), user=lambda: user, ca_pem=issued.ca_pem)


@pytest.mark.parametrize("back", [timedelta(hours=3), timedelta(days=400)], ids=["hours", "a year"])
async def test_a_key_is_revoked_for_good_whatever_becomes_of_the_hubs_clock(
    hub: Any, back: timedelta
) -> None:
    async with hub.connect("registry") as connection:
        registrar = Registrar(hub, connection)
        edges = {name: registrar.issue(name) for name in SHOPS}
        first, second, third = SHOPS
        async with connected(edges[first]) as one, connected(edges[second]) as two:
            await registrar.identities().revoke(first, registrar.keys[first].public)
            registrar.now -= back
            await registrar.identities().revoke(second, registrar.keys[second].public)
            async with asyncio.timeout(10):
                await one.wait_lost()
                await two.wait_lost()
    # The server chooses between its configuration's account and the one that it was given.
    hub.server.process.kill()
    await hub.server.process.wait()
    async with nats_running(EmbeddedSettings(state=hub.state, port=hub.server.port)):
        assert await is_let_in(edges[third])
        assert not await is_let_in(edges[first])
        assert not await is_let_in(edges[second])


async def test_generations_grow_and_edges_take_what_is_new_whatever_becomes_of_the_hubs_clock(
    fleet: Fleet,
) -> None:
    till, clock = AppName("till"), [NOW]
    async with background(run(settings(fleet.hub), lambda: clock[0]), name="registry"):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        await fleet.deliver(edge)
    for back, namespace in ((timedelta(hours=3), "one"), (timedelta(days=400), "two")):
        before = edge.held[till].generation
        clock[0] -= back
        # As after a restart.
        async with background(run(settings(fleet.hub), lambda: clock[0]), name="registry"):
            await fleet.ready()
            await fleet.ask(
                "app.apply",
                manifest=application("till", destination={"name": "shop1", "namespace": namespace}),
            )
            await fleet.render(await fleet.wanted(), bundle("a", namespace))

            async def has_it(namespace: str = namespace) -> bool:
                await edge.resync()
                return edge.held[till].spec.get("destination") == {"namespace": namespace}

            await eventually(has_it)
        assert edge.held[till].generation > before
