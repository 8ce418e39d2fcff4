from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from outrider.bus import Message, connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.bus_config.conftest import Deployment, Node

LISTENER = "\ninclude ./parts/leaf-listener.conf\n"


def leaf_environment(deployment: Deployment, hub: Node) -> dict[str, str]:
    return {
        "OUTRIDER_LEAF_URL": f"tls://{hub.address}:7422",
        "OUTRIDER_FLEET": deployment.trust.fleet.public,
    }


@pytest.fixture
async def hub(request: pytest.FixtureRequest, deployment: Deployment) -> AsyncIterator[Node]:
    """A hub with a leaf port; with the parameter `allowed`, one whose account FLEET lets leaf nodes in."""
    if getattr(request, "param", None) == "allowed":
        deployment.allow_leaf_nodes()
    async with deployment.running(deployment.configure(1, extra=LISTENER)) as running:
        yield running


@pytest.fixture
async def site(deployment: Deployment, hub: Node) -> AsyncIterator[Node]:
    deployment.write_leaf_credentials()
    leaf = deployment.configure(2, config="leaf-node.conf")
    environment = {
        "OUTRIDER_LEAF_URL": f"tls://{hub.address}:7422",
        "OUTRIDER_FLEET": deployment.trust.fleet.public,
    }
    async with deployment.running(leaf, 2, environment=environment) as running:
        yield running


async def test_the_leaf_port_asks_for_tls_and_identity(hub: Node) -> None:
    leaf = (await hub.monitor("varz"))["leaf"]
    assert (leaf["port"], leaf["tls_required"], leaf["auth_timeout"]) == (7422, True, 10)
    assert hub.ports() == {4222, 7422, 8222}


@pytest.mark.usefixtures("site")
async def test_a_leaf_node_is_refused_unless_the_fleets_account_allows_them(hub: Node) -> None:
    await hub.says("maximum account active connections exceeded")
    assert (await hub.monitor("varz"))["leafnodes"] == 0


@pytest.mark.parametrize("hub", ["allowed"], indirect=True)
async def test_the_clusters_of_a_site_share_one_leaf_connection(
    deployment: Deployment, hub: Node, site: Node
) -> None:
    heard: asyncio.Queue[Message] = asyncio.Queue()
    aggregator = deployment.service("aggregator", f"tls://{hub.address}:4222")
    edge = deployment.cluster("shop1", f"tls://{site.address}:4222")
    async with asyncio.timeout(30), connected(edge) as agent, connected(aggregator) as service:
        await agent.subscribe("fleet.shop1.command.*", heard.put)
        await agent.flush()
        while heard.empty():
            # Interest takes a moment to reach the hub; until then nobody hears the command.
            await service.publish("fleet.shop1.command.sync", b"now")
            await service.flush()
        assert (await heard.get()).data == b"now"
        assert (await hub.monitor("varz"))["leafnodes"] == 1
