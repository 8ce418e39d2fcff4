from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from outrider.bus import BusSettings, Connection, connected
from outrider.bus.embedded import EmbeddedSettings, NatsServer, running
from outrider.bus.jetstream import JetStream
from outrider.bus.model import User
from outrider.bus.topology import ensure
from outrider.identity import credentials, hub_state
from outrider.identity.accounts import Trust, cluster_user_jwt, pool_user_jwt
from outrider.identity.keys import KeyPair, generate
from outrider.topology import HUB, Role


@dataclass
class Hub:
    """A real NATS server with a hub's accounts and streams, and a way in for every identity."""

    state: Path
    server: NatsServer
    trust: Trust

    @property
    def url(self) -> str:
        return f"tls://localhost:{self.server.port}"

    def settings(self, role: Role) -> BusSettings:
        return credentials.bus_settings(self.state / "credentials" / f"{role}.creds", (self.url,))

    def connect(self, role: Role) -> AbstractAsyncContextManager[Connection]:
        return connected(self.settings(role))

    def edge_settings(self, name: str) -> BusSettings:
        key = generate("user")
        jwt = cluster_user_jwt(
            name,
            key.public,
            signing_key=self.trust.fleet_clusters,
            fleet_account=self.trust.fleet.public,
            now=datetime.now(UTC),
        )
        user = User(name, jwt, key.seed)
        authority = (self.state / "nats" / "tls" / "authority.pem").read_text()
        return BusSettings(servers=(self.url,), user=lambda: user, ca_pem=authority)

    def pool_settings(self, name: str, key: KeyPair | None = None) -> BusSettings:
        key = key or generate("user")
        jwt = pool_user_jwt(
            name,
            key.public,
            signing_key=self.trust.fleet_pools,
            fleet_account=self.trust.fleet.public,
            now=datetime.now(UTC),
        )
        user = User(name, jwt, key.seed, is_pool=True)
        authority = (self.state / "nats" / "tls" / "authority.pem").read_text()
        return BusSettings(servers=(self.url,), user=lambda: user, ca_pem=authority)

    def connect_pool(self, name: str) -> AbstractAsyncContextManager[Connection]:
        return connected(self.pool_settings(name))

    def connect_edge(self, name: str) -> AbstractAsyncContextManager[Connection]:
        return connected(self.edge_settings(name))


StartHub = Callable[[Path], AbstractAsyncContextManager[Hub]]


@pytest.fixture
def server_settings() -> dict[str, Any]:
    """What a test module sets of the NATS server."""
    return {}


@pytest.fixture
async def hub(tmp_path: Path, server_settings: dict[str, Any]) -> AsyncIterator[Hub]:
    state = tmp_path / "hub"
    hub_state.initialise(state, servers=("tls://localhost:4222",), hosts=["localhost", "127.0.0.1"])
    trust = hub_state.load_trust(hub_state.RegistryKeys.load(state / "registry.json").trust)
    async with running(EmbeddedSettings(state=state, port=-1, **server_settings)) as server:
        made = Hub(state, server, trust)
        services: tuple[Role, ...] = ("registry", "renderer", "aggregator")
        for role in services:
            async with made.connect(role) as connection:
                await ensure(JetStream(connection), HUB.of(role))
        yield made
