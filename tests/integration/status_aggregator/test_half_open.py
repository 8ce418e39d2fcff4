"""A link that is dead and does not say so."""

from dataclasses import replace
from typing import Any

import pytest
from tests.integration.status_aggregator.conftest import Fleet
from tests.unit.status_aggregator.edge_model import status

from outrider.bus import connected
from outrider.bus.embedded import EmbeddedSettings, configuration
from outrider_playground.wan import WanLink


@pytest.fixture
def server_settings() -> dict[str, Any]:
    # A client that gets no turn for as long is put out: not too short for a busy machine.
    return {"ping_interval_s": 1.0}


async def test_a_half_open_link_is_found_by_the_servers_ping_and_nothing_behind_it_stays_green(
    fleet: Fleet,
) -> None:
    await fleet.apply("till", "shop1")
    async with fleet.aggregator(), WanLink("127.0.0.1", fleet.hub.server.port) as link:
        await fleet.register("shop1")
        direct = fleet.edges["shop1"]
        fleet.edges["shop1"] = replace(direct, servers=(f"tls://localhost:{link.port}",))
        edge = await fleet.edge("shop1")
        edge.model.put("till", status("Healthy"))
        await edge.flush()
        await fleet.until("app", lambda app: app["freshness"] == "fresh", name="till")
        await link.black_hole()
        found = await fleet.until("app", lambda app: app["presence"] == "offline", name="till")
        assert (found["health"], found["freshness"]) == ("Healthy", "offline")
        assert (await fleet.ask("summary"))["health"]["Healthy"] == 0
        # The agent that comes back by another way counts, whatever becomes of the connection that hangs.
        async with connected(direct):
            await fleet.until("app", lambda app: app["freshness"] == "fresh", name="till")


def test_servers_ask_as_often_as_the_bound_on_a_half_open_link_needs(fleet: Fleet) -> None:
    lines = configuration(EmbeddedSettings(fleet.hub.state)).splitlines()
    assert {'ping_interval: "120000ms"', "ping_max: 1"} <= set(lines)
