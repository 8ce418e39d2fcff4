from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from outrider.bus import Connection, NoResponders, RequestTimedOut, connected
from outrider.bus.jetstream import JetStream, Refused
from outrider.bus.topology import ensure
from outrider.topology import DESIRED, Topology

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.bus_config.conftest import Deployment, Node

ZONES = ("az:a", "az:b", "az:c")


@pytest.fixture
async def nodes(deployment: Deployment) -> AsyncIterator[list[Node]]:
    deployment.write_route_certificates()
    async with AsyncExitStack() as stack:
        running: list[Node] = []
        for number, zone in enumerate(ZONES, start=1):
            config = deployment.configure(number, config="three-nodes.conf")
            started = deployment.running(config, number, wait=False, environment={"OUTRIDER_ZONE": zone})
            running.append(await stack.enter_async_context(started))
        async with asyncio.TaskGroup() as waiting:
            for node in running:
                waiting.create_task(node.says("Server is ready"), name=f"start of {node.name}")
        yield running


async def replicated(connection: Connection) -> JetStream:
    """Make a stream with three replicas, as soon as the cluster has a leader that can."""
    # Who asks before there is a leader gets no answer at all: ask again soon.
    stream = JetStream(connection, timeout_s=1)
    async with asyncio.timeout(40):
        while True:
            try:
                await ensure(stream, Topology(streams=(DESIRED,)))
            except (Refused, RequestTimedOut, NoResponders):
                # No leader, or not all peers known yet: there is no event to wait on.
                await asyncio.sleep(0.2)
            else:
                return stream


async def replicas(node: Node, stream: str) -> set[str]:
    """The nodes that keep a stream, as seen from one of them: it lists the others, itself only as leader."""
    account = await node.monitor("jsz?streams=true&accounts=true")
    details = account["account_details"][0]["stream_detail"]
    (cluster,) = [detail["cluster"] for detail in details if detail["name"] == stream]
    return {node.name, cluster["leader"], *(replica["name"] for replica in cluster["replicas"])}


async def test_three_nodes_keep_three_replicas_and_survive_the_loss_of_one(
    deployment: Deployment, nodes: list[Node]
) -> None:
    urls = [f"tls://{node.address}:4222" for node in nodes]
    async with asyncio.timeout(60), connected(deployment.service("registry", urls[0])) as connection:
        stream = await replicated(connection)
        assert await replicas(nodes[0], "DESIRED") == {"nats-1", "nats-2", "nats-3"}
        first = await stream.publish("fleet.shop1.desired.till", b"one")
        await nodes[2].kill()
        second = await acknowledged(stream, "fleet.shop1.desired.till", b"two")
        assert second > first
        assert (await stream.last("DESIRED", "fleet.shop1.desired.till")).data == b"two"


async def acknowledged(stream: JetStream, subject: str, data: bytes) -> int:
    """Publish until the cluster has acknowledged: it may be electing a leader."""
    while True:
        try:
            return await stream.publish(subject, data)
        except (Refused, RequestTimedOut, NoResponders):
            await asyncio.sleep(0.2)


async def test_every_setting_of_three_nodes_took_effect(deployment: Deployment, nodes: list[Node]) -> None:
    for node, zone in zip(nodes, ZONES, strict=True):
        seen = await node.monitor("varz")
        assert (seen["server_name"], seen["tags"]) == (node.name, [zone])
        cluster = seen["cluster"]
        expected = {
            "name": "outrider",
            "cluster_port": 6222,
            "tls_required": True,
            "tls_verify": True,
            "tls_timeout": 10,
            "auth_timeout": 10,
        }
        assert {name: cluster.get(name) for name in expected} == expected
        assert seen["jetstream"]["config"]["sync_always"] is True
        assert seen["jetstream"]["config"]["unique_tag"] == "az"
        assert node.ports() == {4222, 6222, 8222}


async def test_edges_are_not_told_other_addresses(deployment: Deployment, nodes: list[Node]) -> None:
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(nodes[0].address, 4222, ssl=deployment.tls())
        info = json.loads((await reader.readline()).removeprefix(b"INFO "))
        writer.transport.abort()
    assert "connect_urls" not in info


@pytest.mark.parametrize("certificate", [None, "server"])
async def test_a_route_without_a_routes_certificate_is_refused(
    deployment: Deployment, nodes: list[Node], certificate: str | None
) -> None:
    """Neither without one nor with one of the authority that edges know."""
    context = ssl.create_default_context(
        cafile=str(deployment.state / "nats" / "tls" / "route-authority.pem")
    )
    if certificate is not None:
        folder = deployment.state / "nats" / "tls"
        context.load_cert_chain(folder / f"{certificate}.pem", folder / f"{certificate}-key.pem")
    said = b""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(nodes[0].address, 6222, ssl=context)
        # In TLS 1.3 the client learns of the refusal at its first read.
        with pytest.raises((ssl.SSLError, ConnectionError)):
            said = await reader.readuntil(b"\r\n")
        writer.transport.abort()
    assert said == b""


async def test_revoked_on_one_node_is_revoked_on_all(deployment: Deployment, nodes: list[Node]) -> None:
    edge = deployment.cluster("shop1")
    async with asyncio.timeout(40):
        session = await deployment.sign_in(nodes[2], edge)
        assert session.answer == "PONG"
        await deployment.revoke(nodes[0], edge, servers=3)
        assert "Revoked" in await session.end()
        session = await deployment.sign_in(nodes[1], edge)
        assert session.answer == "-ERR 'Authorization Violation'"
        session.close()


async def test_a_node_without_a_zone_does_not_start(deployment: Deployment) -> None:
    deployment.write_route_certificates()
    config = deployment.configure(1, config="three-nodes.conf")
    async with asyncio.timeout(20), deployment.running(config, wait=False) as node:
        await node.says("OUTRIDER_ZONE")
        assert await node.process.wait() != 0
