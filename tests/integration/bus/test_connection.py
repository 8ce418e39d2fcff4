import asyncio
import dataclasses
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from outrider.backoff import Backoff
from outrider.bus import Disconnected, Message, NoResponders, RequestTimedOut, connected
from outrider.bus.embedded import EmbeddedSettings, running
from outrider.bus.model import User
from outrider.identity import claims, credentials
from outrider.identity.credentials import Credentials
from outrider_playground.waiting import eventually
from outrider_playground.wan import WanLink

QUICK = Backoff(first_s=0.05, cap_s=0.2)


async def test_a_server_that_is_killed_again_and_again_behind_a_link_is_found_every_time(hub: Any) -> None:
    port = hub.server.port
    async with WanLink("127.0.0.1", port) as link:
        settings = dataclasses.replace(
            hub.edge_settings("shop1"), servers=(f"tls://localhost:{link.port}",), backoff=QUICK
        )
        async with connected(settings) as connection:
            received: asyncio.Queue[Message] = asyncio.Queue()
            await connection.subscribe("fleet.shop1.desired.*", received.put)
            hub.server.process.kill()
            await hub.server.process.wait()
            for _ in range(3):
                await connection.wait_lost()
                # Long enough for attempts to fail in every way that a link without a server behind it makes them fail.
                await asyncio.sleep(0.3)
                async with (
                    running(EmbeddedSettings(state=hub.state, port=port)) as server,
                    asyncio.timeout(20),
                ):
                    await connection.wait_connected()
                    async with hub.connect("registry") as registry:
                        await registry.publish("fleet.shop1.desired.till", b"record")
                        assert (await received.get()).data == b"record"
                    server.process.kill()
                    await server.process.wait()


async def test_leaving_ends_at_once_whatever_the_connection_is_doing(hub: Any) -> None:
    settings = dataclasses.replace(hub.edge_settings("shop1"), servers=("tls://localhost:1",), backoff=QUICK)
    for n in range(20):
        async with asyncio.timeout(5), connected(settings, wait=False):
            await asyncio.sleep(n / 200)
    stranger = User("shop1", hub.edge_settings("shop1").user().jwt, hub.edge_settings("shop2").user().seed)
    refused = dataclasses.replace(hub.edge_settings("shop1"), user=lambda: stranger, backoff=QUICK)
    for n in range(20):
        async with asyncio.timeout(5), connected(refused, wait=False):
            await asyncio.sleep(n / 100)


async def test_an_expired_session_is_taken_up_with_renewed_credentials(hub: Any) -> None:
    fresh = hub.edge_settings("shop1").user()
    body = claims.decode(fresh.jwt)
    now = datetime.now(UTC)
    issuer = hub.trust.fleet_clusters
    expiring = claims.encode(
        "user",
        subject=body["sub"],
        name="shop1",
        claims=body["nats"],
        issuer=issuer,
        issued_at=now,
        expires_s=2,
    )
    users = [User("shop1", expiring, fresh.seed)]
    settings = dataclasses.replace(hub.edge_settings("shop1"), user=lambda: users[0], backoff=QUICK)
    async with connected(settings) as connection:
        users[0] = fresh
        async with asyncio.timeout(15):
            await connection.wait_lost()
            await connection.wait_connected()


async def test_a_certificate_of_another_authority_is_refused(hub: Any, tmp_path: Any) -> None:
    from outrider.identity import tls

    other = tls.make_authority(datetime.now(UTC)).certificate
    settings = dataclasses.replace(hub.edge_settings("shop1"), ca_pem=other, backoff=QUICK)
    async with connected(settings, wait=False) as connection:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await connection.wait_connected()


async def test_what_was_asked_when_the_link_went_fails_and_says_so(hub: Any) -> None:
    async with WanLink("127.0.0.1", hub.server.port) as link, hub.connect("registry") as registry:

        async def never(_message: Message) -> None:
            await link.cut()

        await registry.subscribe("fleet.*.resync", never)
        await registry.flush()
        settings = dataclasses.replace(hub.edge_settings("shop1"), servers=(f"tls://localhost:{link.port}",))
        async with connected(settings) as edge:
            with pytest.raises(Disconnected):
                await edge.request("fleet.shop1.resync", timeout_s=10)
            with pytest.raises(Disconnected):
                await edge.publish("fleet.shop1.resync", b"")


async def test_a_request_that_nobody_serves_or_answers_says_which(hub: Any) -> None:
    async with hub.connect("person") as person, hub.connect("registry") as registry:
        with pytest.raises(NoResponders, match=r"hub\.registry\.nothing"):
            await person.request("hub.registry.nothing", timeout_s=5)

        async def silent(_message: Message) -> None:
            return

        await registry.subscribe("hub.registry.silent", silent)
        await registry.flush()
        with pytest.raises(RequestTimedOut, match=r"0\.2 s"):
            await person.request("hub.registry.silent", timeout_s=0.2)


async def test_a_half_open_link_is_found_by_the_next_ping(hub: Any) -> None:
    async with WanLink("127.0.0.1", hub.server.port) as link:
        settings = dataclasses.replace(
            hub.edge_settings("shop1"),
            servers=(f"tls://localhost:{link.port}",),
            ping_interval_s=0.2,
            pong_timeout_s=0.5,
            connect_timeout_s=1,
            backoff=QUICK,
        )
        async with connected(settings, rng=random.Random(1)) as edge:
            await link.black_hole()
            async with asyncio.timeout(10):
                await edge.wait_lost()
            await link.restore()
            await eventually(lambda: edge.is_connected, 15)


async def test_the_credentials_file_is_one_that_natss_own_tools_read(hub: Any, tmp_path: Any) -> None:
    settings = hub.edge_settings("shop1")
    made = Credentials(settings.user(), (hub.url,), settings.ca_pem, (b"k" * 32,))
    file = tmp_path / "shop1.creds"
    made.write(file)
    assert credentials.load(file) == made
    assert file.stat().st_mode & 0o077 == 0
    import nkeys

    text = file.read_text()
    seed = text.split("-----BEGIN USER NKEY SEED-----")[1].split()[0]
    assert nkeys.from_seed(seed.encode()).public_key.decode() == claims.decode(settings.user().jwt)["sub"]


@pytest.mark.parametrize("text", ["", "-----BEGIN NATS USER JWT-----\nx\n------END NATS USER JWT------\n"])
def test_a_file_that_is_no_credentials_file_is_named_with_what_it_lacks(text: str, tmp_path: Any) -> None:
    (tmp_path / "x.creds").write_text(text)
    with pytest.raises(credentials.InvalidCredentials, match=r"x\.creds.*has no block"):
        credentials.load(tmp_path / "x.creds")


async def test_who_waits_for_the_server_is_told_when_the_link_goes(hub: Any) -> None:
    async with WanLink("127.0.0.1", hub.server.port) as link:
        settings = dataclasses.replace(hub.edge_settings("shop1"), servers=(f"tls://localhost:{link.port}",))
        async with connected(settings) as edge, asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            await link.black_hole()
            tasks.create_task(link.cut(), name="cut")
            with pytest.raises(Disconnected):
                await edge.flush(600)
            await link.restore()
