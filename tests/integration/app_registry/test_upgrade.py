"""A hub that was set up by a version without pools: they work once this version's registry runs, and who was revoked stays out."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.integration.conftest import Hub

from outrider import codec, subjects
from outrider.bus import BusSettings, Connection, connected
from outrider.bus.buckets import KeyValue
from outrider.bus.embedded import EmbeddedSettings
from outrider.bus.embedded import running as nats_running
from outrider.bus.jetstream import JetStream
from outrider.bus.model import Message
from outrider.bus.topology import ensure
from outrider.identity import claims, hub_state
from outrider.identity.accounts import Trust
from outrider.identity.keys import KeyPair
from outrider.names import PoolName
from outrider.topology import HUB, REGISTRY

from .conftest import running
from .test_clusters import is_let_in

BEFORE = datetime(2026, 1, 1, tzinfo=UTC)


def of_older_version(trust: Trust, jwt: str, revoked: dict[str, int] | None = None) -> str:
    """Return an account's JWT as a version without pools makes it."""
    body: dict[str, Any] = claims.decode(jwt)["nats"]
    for field in ("imports", "exports"):
        body[field] = [one for one in body[field] if one["subject"] != subjects.ALL_GATEWAY]
    body["signing_keys"] = [one for one in body["signing_keys"] if one["key"] != trust.fleet_pools.public]
    for scope in body["signing_keys"]:
        allowed = scope["template"]["sub"]["allow"]
        scope["template"]["sub"]["allow"] = [one for one in allowed if one != subjects.ALL_GATEWAY]
    if revoked:
        body["revocations"] = revoked
    name = claims.decode(jwt)["name"]
    return claims.encode(
        "account",
        subject=claims.decode(jwt)["sub"],
        name=name,
        claims=body,
        issuer=trust.operator,
        issued_at=BEFORE if not revoked else datetime.now(UTC),
    )


@pytest.fixture
async def older(tmp_path: Path) -> tuple[Path, Trust, BusSettings]:
    """The state of a hub of an older version, whose server knows that the key of cluster `lost` is revoked."""
    state = tmp_path / "hub"
    hub_state.initialise(state, servers=("tls://localhost:4222",), hosts=["localhost"])
    trust = hub_state.load_trust(hub_state.RegistryKeys.load(state / "registry.json").trust)
    config = state / "nats" / "auth.conf"
    text = config.read_text()
    for account, jwt in trust.account_jwts(BEFORE).items():
        if account != trust.system.public:
            line = next(one for one in text.splitlines() if one.startswith(f"  {account}: "))
            text = text.replace(line, f"  {account}: {of_older_version(trust, jwt)}")
    config.write_text(text)
    async with nats_running(EmbeddedSettings(state=state, port=-1)) as server:
        hub = Hub(state, server, trust)
        lost = hub.edge_settings("lost")
        key = KeyPair(lost.user().seed).public
        at_s = int(datetime.now(UTC).timestamp())
        async with hub.connect("registry") as registry:
            js = JetStream(registry)
            await ensure(js, HUB.of("registry"))
            await KeyValue(js, REGISTRY).put(f"revoked.{key}", codec.canonical(["lost", at_s]))
        await _push(hub, of_older_version(trust, trust.fleet_jwt(BEFORE, {}), {key: at_s}))
        assert not await is_let_in(lost)
    return state, trust, lost


async def _push(hub: Hub, jwt: str) -> None:
    keys = hub_state.RegistryKeys.load(hub.state / "registry.json")
    writer = (
        hub.settings("registry").user()._replace(jwt=keys.claims_writer_jwt, seed=keys.claims_writer_seed)
    )
    bus = BusSettings(servers=(hub.url,), user=lambda: writer, ca_pem=keys.ca_pem)
    async with connected(bus) as connection:
        answer = await connection.request("$SYS.REQ.CLAIMS.UPDATE", jwt.encode(), timeout_s=10)
        assert b'"code":200' in answer.data


async def test_pools_can_connect_to_a_hub_of_an_older_version_and_the_revoked_stay_out(
    older: tuple[Path, Trust, BusSettings],
) -> None:
    state, trust, lost = older
    hub_state.initialise(state, servers=(), hosts=[])
    async with nats_running(EmbeddedSettings(state=state, port=-1)) as server:
        hub = Hub(state, server, trust)

        def here(bus: BusSettings) -> BusSettings:
            return BusSettings(servers=(hub.url,), user=bus.user, ca_pem=bus.ca_pem)

        # At no moment of the upgrade does a revocation not hold.
        assert not await is_let_in(here(lost))
        pool = hub.pool_settings("berlin")
        assert not await is_let_in(pool)
        async with (
            hub.connect("renderer") as gateway,
            connected(pool, wait=False) as renderer,
            asyncio.timeout(30),
        ):
            await _answering(gateway)
            async with running(hub):
                await renderer.wait_connected()
            assert not await is_let_in(here(lost))
            answer = await renderer.request(
                subjects.gateway(PoolName("berlin"), "anything"), b"?", timeout_s=10
            )
            assert answer.data == b"heard ?"


async def _answering(gateway: Connection) -> None:
    async def answer(message: Message) -> None:
        await gateway.publish(message.reply, b"heard " + message.data)

    await gateway.subscribe(subjects.ALL_GATEWAY, answer)
    await gateway.flush()
