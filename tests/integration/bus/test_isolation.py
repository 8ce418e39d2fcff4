"""A stolen edge identity, against the real server: nothing beyond its own subjects, whatever it tries."""

import asyncio
from typing import Any

import pytest

from outrider.bus import Disconnected, RequestTimedOut
from outrider.bus.model import Message
from outrider.identity.roles import CLUSTER

OTHERS = [
    "fleet.shop2",
    "fleet.*",
    "fleet.>",
    "hub.registry",
    "hub.status",
    "hub.render.default",
    "pool.berlin",
    "pool.*",
    "pool.shop1",
    "presence",
    "$SYS",
    "$JS.API",
    "$KV",
    "$O",
    "events",
    "_INBOX_registry",
    "_INBOX_shop2",
    "_INBOX_POOL_shop1",
    "_R_",
    "$SRV",
    ">",
    "*",
]
TAILS = [
    "",
    ".desired.till",
    ".desired.*",
    ".desired.>",
    ".status",
    ".resync",
    ".bundle",
    ".journal",
    ".reply.1",
    ".command.sync",
    ".>",
    ".*",
    ".INFO",
    ".STREAM.DELETE.DESIRED",
    ".STREAM.PURGE.DESIRED",
    ".DIRECT.GET.DESIRED",
    ".REQ.SERVER.PING",
    ".ACCOUNT.X.CONNECT",
    ".applications.till",
    ".PING",
    ".connections",
    ".app.delete",
    ".gateway.table",
    ".gateway.>",
]
SUBJECTS = [head + tail for head in OTHERS for tail in TAILS if ">" not in head or not tail]
FLEET_OF_ITS_NAME = [f"fleet.shop1{tail}" for tail in TAILS if tail]
OWN_WRONG_WAY = {
    "pub": [
        "fleet.shop1.desired.till",
        "fleet.shop1.command.sync",
        "_INBOX_shop1.x",
        "fleet.shop1.other",
        "fleet.shop1",
        "fleet.shop1.status.more",
        "fleet.shop1.reply.a.b",
    ],
    "sub": [
        "fleet.shop1.status",
        "fleet.shop1.resync",
        "fleet.shop1.journal",
        "fleet.shop1.>",
        "fleet.shop1.*",
        "fleet.shop1.command",
    ],
}


class _Violations:
    def __init__(self, connection: Any) -> None:
        self.seen: list[str] = []
        connection.client._error_cb = self._note

    async def _note(self, error: Exception) -> None:
        self.seen.append(str(error))


async def test_nothing_that_a_stolen_identity_publishes_reaches_beyond_its_own_subjects(hub: Any) -> None:
    async with hub.connect("registry") as registry, hub.connect_edge("shop1") as edge:
        heard: list[Message] = []

        async def hear(message: Message) -> None:
            heard.append(message)

        for subject in ("hub.registry.>", "fleet.*.resync", "fleet.*.reply.*"):
            await registry.subscribe(subject, hear)
        await registry.flush()
        violations = _Violations(edge)
        publishes = [s for s in SUBJECTS + OWN_WRONG_WAY["pub"] if s and "*" not in s and ">" not in s]
        for subject in publishes:
            headers = {
                "Nats-Request-Info": '{"acc":"HUB"}',
                "Nats-Trace-Dest": "hub.registry.x",
                "Nats-Rollup": "all",
            }
            await edge.publish(subject, b"x", headers=headers)
        await edge.flush()
        assert len(violations.seen) == len(publishes)
        await registry.flush()
        assert heard == []


async def test_a_stolen_identity_can_subscribe_to_nothing_but_its_own_subjects(hub: Any) -> None:
    async with hub.connect_edge("shop1") as edge:
        violations = _Violations(edge)
        subscriptions = [s for s in SUBJECTS + OWN_WRONG_WAY["sub"] if s]
        for subject in subscriptions:
            for queue in ("", "app-registry"):
                await edge.client.subscribe(subject, queue=queue)
                await edge.flush()
        refused = {message.split('"')[1] for message in violations.seen}
        assert [s for s in subscriptions if s.lower() not in refused] == []
        assert len(violations.seen) == 2 * len(subscriptions)


POOL_OWN_WRONG_WAY = {
    "pub": [
        "pool.shop1",
        "pool.shop1.other",
        "pool.shop1.gateway",
        "pool.shop1.gateway.a.b",
        "_INBOX_POOL_shop1.x",
    ],
    "sub": [
        "pool.shop1.gateway.table",
        "pool.shop1.gateway.*",
        "pool.shop1.>",
        "_INBOX_shop1.>",
    ],
}


def _of_others(subject: str) -> bool:
    """Tell whether a subject is none of the pool shop1, which has the name of a cluster."""
    return not subject.startswith(("pool.shop1.gateway.", "_INBOX_POOL_shop1."))


async def test_nothing_that_a_stolen_identity_of_a_pool_publishes_reaches_beyond_its_gateway(
    hub: Any,
) -> None:
    async with (
        hub.connect("registry") as registry,
        hub.connect("renderer") as gateway,
        hub.connect_pool("shop1") as renderer,
    ):
        heard: list[Message] = []

        async def hear(message: Message) -> None:
            heard.append(message)

        for subject in ("hub.registry.>", "fleet.*.resync", "fleet.*.reply.*"):
            await registry.subscribe(subject, hear)
        for subject in ("hub.render.*.*", "fleet.*.bundle", "pool.*.gateway.*"):
            await gateway.subscribe(subject, hear)
        await registry.flush()
        await gateway.flush()
        violations = _Violations(renderer)
        wanted = [*SUBJECTS, *OWN_WRONG_WAY["pub"], *POOL_OWN_WRONG_WAY["pub"], *FLEET_OF_ITS_NAME]
        publishes = [s for s in wanted if s and "*" not in s and ">" not in s and _of_others(s)]
        for subject in publishes:
            await renderer.publish(subject, b"x", headers={"Nats-Request-Info": '{"acc":"HUB"}'})
        await renderer.flush()
        assert len(violations.seen) == len(publishes)
        await renderer.publish("pool.shop1.gateway.table", b"mine")
        await renderer.flush()
        await registry.flush()
        await gateway.flush()
        assert [(message.subject, message.data) for message in heard] == [
            ("pool.shop1.gateway.table", b"mine")
        ]


async def test_a_stolen_identity_of_a_pool_can_subscribe_to_nothing_but_its_answers(hub: Any) -> None:
    async with hub.connect_pool("shop1") as renderer:
        violations = _Violations(renderer)
        wanted = [*SUBJECTS, *OWN_WRONG_WAY["sub"], *POOL_OWN_WRONG_WAY["sub"], *FLEET_OF_ITS_NAME]
        subscriptions = [s for s in wanted if s and not s.startswith("_INBOX_POOL_shop1")]
        for subject in subscriptions:
            for queue in ("", "repo-renderer"):
                await renderer.client.subscribe(subject, queue=queue)
                await renderer.flush()
        assert len(violations.seen) == 2 * len(subscriptions)


async def test_a_cluster_and_a_pool_of_one_name_do_not_hear_one_another(hub: Any) -> None:
    async with hub.connect_edge("shop1") as edge, hub.connect_pool("shop1") as renderer:
        of_edge, of_pool = _Violations(edge), _Violations(renderer)
        await edge.client.subscribe("_INBOX_POOL_shop1.>")
        await renderer.client.subscribe("_INBOX_shop1.>")
        await edge.publish("pool.shop1.gateway.table", b"x")
        await edge.flush()
        await renderer.flush()
        assert (len(of_edge.seen), len(of_pool.seen)) == (2, 1)


async def test_the_jetstream_api_does_not_answer_a_pool(hub: Any) -> None:
    async with hub.connect_pool("berlin") as renderer:
        for subject in ("$JS.API.INFO", "$JS.API.STREAM.LIST", "$JS.API.DIRECT.GET.KV_repositories"):
            with pytest.raises(RequestTimedOut):
                await renderer.request(subject, timeout_s=0.2)


async def test_the_jetstream_api_does_not_answer_an_edge(hub: Any) -> None:
    async with hub.connect_edge("shop1") as edge:
        for subject in ("$JS.API.INFO", "$JS.API.STREAM.LIST", "$JS.API.DIRECT.GET.DESIRED"):
            with pytest.raises(RequestTimedOut):
                await edge.request(subject, timeout_s=0.2)


async def test_an_edge_holds_at_most_a_few_subscriptions(hub: Any) -> None:
    async with hub.connect_edge("shop1") as edge:

        async def ignore(_message: Message) -> None:
            pass

        async def subscribe_to_too_many() -> None:
            for n in range(2 * CLUSTER.subscriptions_max):
                await edge.subscribe(f"_INBOX_shop1.n{n}", ignore)
                await edge.flush()

        with pytest.raises(Disconnected):
            await subscribe_to_too_many()


async def test_a_cluster_named_as_a_wildcard_is_never_issued(hub: Any) -> None:
    for name in ("*", ">", "shop1.x"):
        with pytest.raises(ValueError, match="cluster name"):
            hub.edge_settings(name)
        with pytest.raises(ValueError, match="pool name"):
            hub.pool_settings(name)


async def test_presence_is_told_by_the_server_and_not_by_the_client(hub: Any) -> None:
    told: asyncio.Queue[Message] = asyncio.Queue()
    async with hub.connect("aggregator") as aggregator:
        await aggregator.subscribe("presence.connected", told.put)
        await aggregator.flush()
        async with hub.connect_edge("shop1"), asyncio.timeout(5):
            assert (await told.get()).data
