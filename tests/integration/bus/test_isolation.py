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
    "presence",
    "$SYS",
    "$JS.API",
    "$KV",
    "$O",
    "events",
    "_INBOX_registry",
    "_INBOX_shop2",
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
]
SUBJECTS = [head + tail for head in OTHERS for tail in TAILS if ">" not in head or not tail]
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


async def test_presence_is_told_by_the_server_and_not_by_the_client(hub: Any) -> None:
    told: asyncio.Queue[Message] = asyncio.Queue()
    async with hub.connect("aggregator") as aggregator:
        await aggregator.subscribe("presence.connected", told.put)
        await aggregator.flush()
        async with hub.connect_edge("shop1"), asyncio.timeout(5):
            assert (await told.get()).data
