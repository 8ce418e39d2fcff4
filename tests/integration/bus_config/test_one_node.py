from __future__ import annotations

import asyncio
import json
import signal
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from outrider.bus import connected
from outrider.bus.jetstream import JetStream
from outrider.bus.topology import ensure
from outrider.identity import tls
from outrider.topology import HUB, Role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.bus_config.conftest import Deployment, Node

SECOND = 1_000_000_000
MIB = 1 << 20


@pytest.fixture
async def node(deployment: Deployment) -> AsyncIterator[Node]:
    async with deployment.running(deployment.configure(1)) as running:
        yield running


async def greeting(node: Node, context: ssl.SSLContext) -> dict[str, Any]:
    """Return the INFO that the server sends once TLS is up."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(node.address, 4222, ssl=context)
        line = await reader.readline()
        writer.transport.abort()
    word, _, body = line.partition(b" ")
    assert word == b"INFO"
    info: dict[str, Any] = json.loads(body)
    return info


async def test_every_setting_took_effect(node: Node) -> None:
    seen = await node.monitor("varz")
    expected = {
        "server_name": "nats-1",
        "port": 4222,
        "http_host": node.address,
        "http_port": 8222,
        "https_port": 0,
        "max_payload": MIB,
        "max_pending": 16 * MIB,
        "max_connections": 65536,
        "write_deadline": 60 * SECOND,
        "ping_interval": 120 * SECOND,
        "ping_max": 1,
        "auth_timeout": 10,
        "tls_timeout": 10,
        "tls_required": True,
        "auth_required": True,
    }
    assert {name: seen.get(name) for name in expected} == expected
    for off in ("cluster", "gateway", "leaf", "mqtt", "websocket"):
        assert not seen[off], f"{off} is on"


async def test_what_jetstream_acknowledges_is_on_the_disk(node: Node) -> None:
    config = (await node.monitor("varz"))["jetstream"]["config"]
    assert config["sync_always"] is True
    assert config["store_dir"] == "data/jetstream"
    assert config["max_storage"] == 16 << 30
    assert config["max_memory"] == 256 * MIB


async def test_one_consumer_per_edge_stops_at_a_limit(node: Node) -> None:
    assert (await node.monitor("varz"))["jetstream"]["limits"]["max_ha_assets"] == 1000


async def test_the_server_is_no_older_than_the_advisories_allow(node: Node) -> None:
    version = (await node.monitor("varz"))["version"]
    assert tuple(int(part) for part in version.split(".")) >= (2, 15, 1)


async def test_nothing_listens_but_the_bus_and_the_monitor(node: Node) -> None:
    assert node.ports() == {4222, 8222}


async def test_the_operator_and_its_system_account_rule(deployment: Deployment, node: Node) -> None:
    seen = await node.monitor("varz")
    assert seen["system_account"] == deployment.trust.system.public
    assert [claim["sub"] for claim in seen["trusted_operators_claim"]] == [deployment.trust.operator.public]
    accounts = set((await node.monitor("accountz"))["accounts"])
    assert accounts >= {deployment.trust.system.public}


async def test_tls_1_3_is_spoken_from_the_first_byte(deployment: Deployment, node: Node) -> None:
    info = await greeting(node, deployment.tls())
    assert info["tls_required"] is True
    assert info["auth_required"] is True
    assert info["max_payload"] == MIB
    # The server gives no word in the clear, however long one listens: it waits for our first.
    reader, writer = await asyncio.open_connection(node.address, 4222)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            pytest.fail(f"the server said {await reader.read(100)!r} in the clear")
    writer.transport.abort()


async def test_a_plain_client_is_refused_without_an_answer(node: Node) -> None:
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(node.address, 4222)
        writer.write(b'CONNECT {"verbose":false}\r\nPING\r\n')
        try:
            said = await reader.read()
        except ConnectionResetError:
            said = b""
        writer.transport.abort()
    assert b"INFO" not in said
    assert b"PONG" not in said


async def test_a_tls_1_2_client_is_refused(deployment: Deployment, node: Node) -> None:
    context = deployment.tls()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        await greeting(node, context)


async def test_a_client_of_another_authority_refuses_the_server(deployment: Deployment, node: Node) -> None:
    other = tls.make_authority(datetime.now(UTC))
    with pytest.raises(ssl.SSLCertVerificationError):
        await greeting(node, deployment.tls(other.certificate))


async def test_nobody_gets_in_without_credentials(deployment: Deployment, node: Node) -> None:
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(node.address, 4222, ssl=deployment.tls())
        await reader.readline()
        writer.write(b'CONNECT {"verbose":false,"tls_required":true}\r\nPING\r\n')
        said = await reader.read()
        writer.transport.abort()
    assert b"Authorization Violation" in said
    assert b"PONG" not in said


async def test_every_stream_of_the_hub_fits(deployment: Deployment, node: Node) -> None:
    url = f"tls://{node.address}:4222"
    roles: tuple[Role, ...] = ("registry", "renderer", "aggregator")
    async with asyncio.timeout(20):
        for role in roles:
            async with connected(deployment.service(role, url)) as connection:
                await ensure(JetStream(connection), HUB.of(role))
    account = await node.monitor("jsz?streams=true&accounts=true&config=true")
    declared = {stream.name for stream in HUB.streams}
    declared |= {bucket.stream for bucket in HUB.buckets}
    declared |= {store.stream for store in HUB.object_stores}
    kept = [stream["config"] for stream in account["account_details"][0]["stream_detail"]]
    assert {config["name"] for config in kept} == declared
    assert all(config["max_bytes"] > 0 for config in kept)


async def test_a_revocation_disconnects_at_once_and_survives_a_restart(deployment: Deployment) -> None:
    config = deployment.configure(1)
    revoked, other = deployment.cluster("shop1"), deployment.cluster("shop2")
    async with asyncio.timeout(30):
        async with deployment.running(config) as node:
            session = await deployment.sign_in(node, revoked)
            assert session.answer == "PONG"
            await deployment.revoke(node, revoked)
            assert "Revoked" in await session.end()
        async with deployment.running(config) as node:
            for settings, answer in ((revoked, "-ERR 'Authorization Violation'"), (other, "PONG")):
                session = await deployment.sign_in(node, settings)
                assert session.answer == answer
                session.close()


async def test_an_account_cannot_be_deleted_over_the_bus(deployment: Deployment, node: Node) -> None:
    refusal = await deployment.delete_fleet(node)
    assert "delete must be enabled" in refusal["error"]["description"]
    assert deployment.trust.fleet.public in deployment.kept_accounts(node.name)


async def test_a_certificate_is_replaced_without_losing_a_connection(
    deployment: Deployment, node: Node
) -> None:
    async with asyncio.timeout(20):
        session = await deployment.sign_in(node, deployment.cluster("shop1"))
        assert session.answer == "PONG"
        before = await deployment.certificate(node)
        deployment.replace_certificate()
        node.process.send_signal(signal.SIGHUP)
        await node.says("Reloaded server configuration")
        after = await deployment.certificate(node)
        session.writer.write(b"PING\r\n")
        # The server tells its clients of the reload first.
        assert (await session.reader.readline()).startswith(b"INFO ")
        assert await session.reader.readline() == b"PONG\r\n"
        session.close()
    assert before != after
