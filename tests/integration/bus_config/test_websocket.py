from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest

from outrider.bus import connected
from outrider_playground.wan import WanLink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.bus_config.conftest import Deployment, Node

SECOND = 1_000_000_000


@pytest.fixture
async def node(deployment: Deployment) -> AsyncIterator[Node]:
    async with deployment.running(deployment.configure(1, config="one-node-websocket.conf")) as running:
        yield running


async def upgrade(node: Node, context: ssl.SSLContext | None, *headers: str) -> str:
    """Ask for WebSocket as a client does and return the head of the answer."""
    lines = [
        "GET / HTTP/1.1",
        f"Host: {node.address}:8443",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *headers,
    ]
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(node.address, 8443, ssl=context)
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode())
            return (await reader.readuntil(b"\r\n\r\n")).decode()
        finally:
            writer.transport.abort()


async def test_every_setting_of_the_websocket_listener_took_effect(node: Node) -> None:
    seen = await node.monitor("varz")
    websocket = seen["websocket"]
    assert websocket["port"] == 8443
    assert websocket["same_origin"] is True
    assert websocket["handshake_timeout"] == 10 * SECOND
    for off in ("compression", "no_tls", "no_auth_user", "allowed_origins", "jwt_cookie"):
        assert not websocket.get(off), f"{off} is on"
    # What holds for the node holds for WebSocket.
    assert (seen["auth_timeout"], seen["ping_max"], seen["max_payload"]) == (10, 1, 1 << 20)
    assert node.ports() == {4222, 8222, 8443}


async def test_compression_is_not_agreed_to(deployment: Deployment, node: Node) -> None:
    answer = await upgrade(node, deployment.tls(), "Sec-WebSocket-Extensions: permessage-deflate")
    assert answer.startswith("HTTP/1.1 101")
    assert "permessage-deflate" not in answer


async def test_a_page_of_another_origin_is_refused(deployment: Deployment, node: Node) -> None:
    answer = await upgrade(node, deployment.tls(), "Origin: https://elsewhere.example")
    assert answer.startswith("HTTP/1.1 403")


async def test_plain_http_is_refused(node: Node) -> None:
    try:
        answer = await upgrade(node, None)
    except (ConnectionError, asyncio.IncompleteReadError):
        answer = ""
    assert "101" not in answer


async def test_a_tls_1_2_client_is_refused_on_websocket_too(deployment: Deployment, node: Node) -> None:
    context = deployment.tls()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        await upgrade(node, context)


# nats-py hands aiohttp a parameter in a form that aiohttp has deprecated.
@pytest.mark.filterwarnings("ignore:parameter 'timeout' of type 'float':DeprecationWarning")
@pytest.mark.parametrize(("scheme", "port"), [("tls", 4222), ("wss", 8443)])
async def test_an_agent_reaches_the_hub_over_a_link(
    deployment: Deployment, node: Node, scheme: str, port: int
) -> None:
    async with asyncio.timeout(20), WanLink(node.address, port, host=deployment.addresses[1]) as link:
        settings = deployment.cluster("shop1", f"{scheme}://{link.host}:{link.port}")
        async with connected(settings) as connection:
            await connection.publish("fleet.shop1.status", b"x" * 100_000)
            await connection.flush()
            assert link.counters().up.payload_bytes > 100_000
            await link.cut()
            await connection.wait_lost()
            await link.restore()
            await connection.wait_connected()
