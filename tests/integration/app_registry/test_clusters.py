"""Registered clusters and their identities."""

import asyncio
import base64
import ssl

import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from outrider.bus import BusSettings, connected
from outrider.bus.embedded import EmbeddedSettings
from outrider.bus.embedded import running as nats_running
from outrider.bus.services import RequestRefused
from outrider.identity.keys import KeyPair, generate
from outrider.names import AppName

from .conftest import Fleet, application, eventually


async def is_let_in(bus: BusSettings) -> bool:
    """Try to connect once."""
    client, user = Client(), bus.user()
    try:
        await client.connect(
            list(bus.servers),
            user_jwt_cb=lambda: bytearray(user.jwt.encode()),
            signature_cb=lambda nonce: base64.b64encode(KeyPair(user.seed).sign(nonce.encode())),
            tls=ssl.create_default_context(cadata=bus.ca_pem),
            tls_handshake_first=True,
            allow_reconnect=False,
            error_cb=_ignore,
        )
    except NatsError as error:
        assert "Authorization" in str(error)  # noqa: PT017
        return False
    await client.close()
    return True


async def _ignore(_error: Exception) -> None:
    pass


async def test_an_added_cluster_gets_all_that_its_agent_needs(served: Fleet) -> None:
    key = generate("user")
    answer = await served.ask("cluster.add", name="shop1", public_key=key.public, labels={"region": "north"})
    assert answer["name"] == "shop1"
    assert answer["servers"] == ["tls://localhost:4222"]
    assert "BEGIN CERTIFICATE" in answer["ca_pem"]
    assert [len(one) for one in answer["hub_keys"]] == [32]
    found = await served.until(lambda item: item["labels"], "cluster.get", name="shop1")
    assert found["labels"] == {"region": "north"}
    assert (found["applications"], found["server"], found["public_key"]) == (0, "", key.public)
    assert found["created_at_ms"] > 0


async def test_adding_a_cluster_again_with_its_key_changes_nothing_but_what_is_said(served: Fleet) -> None:
    key = generate("user")
    await served.add_cluster("shop1", key, labels={"region": "north"}, server="https://shop1:6443")
    before = await served.ask("cluster.get", name="shop1")
    await served.add_cluster("shop1", key)
    assert await served.ask("cluster.get", name="shop1") == before
    await served.add_cluster("shop1", key, labels={"region": "south"})
    after = await served.ask("cluster.get", name="shop1")
    assert after == {**before, "labels": {"region": "south"}}


async def test_a_name_is_not_given_to_another_key_unless_the_old_one_is_to_be_replaced(served: Fleet) -> None:
    edge = await served.edge("shop1")
    with pytest.raises(RequestRefused, match="registered with another key"):
        await served.add_cluster("shop1")
    bus = await served.add_cluster("shop1", replace=True)
    async with asyncio.timeout(10):
        await edge.connection.wait_lost()
        async with connected(bus) as successor:
            await successor.flush()
    assert not await is_let_in(edge.bus)


async def test_a_removed_cluster_is_disconnected_at_once_and_stays_out_after_a_restart_of_the_server(
    served: Fleet,
) -> None:
    first, second = await served.edge("shop1"), await served.edge("shop2")
    third = await served.edge("shop3")
    for edge in (first, second):
        assert await served.ask("cluster.remove", name=edge.name) == {"name": edge.name, "result": "removed"}
    async with asyncio.timeout(10):
        await first.connection.wait_lost()
        await second.connection.wait_lost()
    with pytest.raises(RequestRefused, match="there is no cluster 'shop1'"):
        await served.ask("cluster.get", name="shop1")
    served.hub.server.process.kill()
    await served.hub.server.process.wait()
    async with nats_running(EmbeddedSettings(state=served.hub.state, port=served.hub.server.port)):
        await served.ready()
        async with asyncio.timeout(20):
            await third.connection.wait_connected()
        assert await is_let_in(third.bus)
        assert not await is_let_in(first.bus)
        assert not await is_let_in(second.bus)


async def test_a_revoked_key_is_never_issued_again(served: Fleet) -> None:
    key = generate("user")
    await served.add_cluster("shop1", key)
    await served.ask("cluster.remove", name="shop1")
    with pytest.raises(RequestRefused, match="this key was revoked"):
        await served.add_cluster("shop1", key)
    await served.add_cluster("shop1")


async def test_a_cluster_with_applications_is_removed_only_by_force_and_nothing_hangs(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    await served.deliver(edge, "menu")
    await served.ask("app.delete", name="menu")
    await edge.next()
    with pytest.raises(RequestRefused, match="has 2 applications; drain it first"):
        await served.ask("cluster.remove", name="shop1")
    await served.ask("cluster.remove", name="shop1", force=True)
    await served.gone("menu")
    await served.condition("till", "no cluster 'shop1' is registered")
    assert await served.desired() == {}
    again = await served.edge("shop1")

    async def delivered() -> bool:
        await again.resync()
        return AppName("till") in again.held

    await eventually(delivered)


@pytest.mark.parametrize("name", ["*", ">", "shop.1", "Shop", "", "a b", "x" * 64])
async def test_a_name_that_could_reach_beyond_its_cluster_is_refused(served: Fleet, name: str) -> None:
    with pytest.raises(RequestRefused):
        await served.add_cluster(name)


async def test_what_is_no_users_key_is_refused(served: Fleet) -> None:
    good = generate("user").public
    for key in ("", "x", good[:-1] + "x", good.lower(), generate("account").public, "U" * 56):
        with pytest.raises(RequestRefused, match="public_key"):
            await served.ask("cluster.add", name="shop1", public_key=key)


async def test_clusters_are_listed_by_name_and_label_in_pages(served: Fleet) -> None:
    for n in range(5):
        await served.add_cluster(f"shop{n}", labels={"region": "north" if n % 2 else "south", "n": str(n)})
    await served.ask("app.apply", manifest=application("till", "shop0"))
    first = await served.until(
        lambda answer: answer["items"][0]["applications"] == 1, "cluster.list", limit=3
    )
    assert [item["name"] for item in first["items"]] == ["shop0", "shop1", "shop2"]
    assert (await served.ask("cluster.list", after=first["next"]))["next"] is None
    north = await served.ask("cluster.list", labels={"region": "north"})
    assert [item["name"] for item in north["items"]] == ["shop1", "shop3"]


async def test_a_server_url_belongs_to_one_cluster(served: Fleet) -> None:
    await served.add_cluster("shop1", server="https://shop1:6443")
    await served.until(lambda item: item["server"], "cluster.get", name="shop1")
    with pytest.raises(RequestRefused, match="registered for cluster 'shop1' already"):
        await served.add_cluster("shop2", server="https://shop1:6443/")
