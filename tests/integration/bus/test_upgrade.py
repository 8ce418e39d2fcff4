"""A hub whose state another version made."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from outrider.bus import connected
from outrider.bus.embedded import EmbeddedSettings, running
from outrider.bus.jetstream import JetStream
from outrider.bus.topology import ensure
from outrider.identity import claims, credentials, hub_state
from outrider.identity.accounts import Trust
from outrider.topology import HUB, Topology

BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
OF_TODAY = "projects"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder of a version whose registry had no bucket of today."""
    folder = tmp_path / "hub"
    hub_state.initialise(folder, servers=("tls://localhost:4222",), hosts=["localhost"])
    trust = hub_state.load_trust(hub_state.RegistryKeys.load(folder / "registry.json").trust)
    old = _without(trust.account_jwts(BEFORE)[trust.hub.public], trust)
    config = folder / "nats" / "auth.conf"
    lines = config.read_text().splitlines(keepends=True)
    mark = f"  {trust.hub.public}: "
    config.write_text("".join(f"{mark}{old}\n" if line.startswith(mark) else line for line in lines))
    return folder


def _without(jwt: str, trust: Trust) -> str:
    body: dict[str, Any] = claims.decode(jwt)["nats"]
    for scope in body["signing_keys"]:
        publish = scope["template"]["pub"]
        publish["allow"] = [subject for subject in publish["allow"] if OF_TODAY not in subject]
    return claims.encode(
        "account", subject=trust.hub.public, name="HUB", claims=body, issuer=trust.operator, issued_at=BEFORE
    )


async def test_a_hub_of_an_older_version_gets_the_rights_that_this_version_needs(state: Path) -> None:
    wanted = Topology(buckets=tuple(bucket for bucket in HUB.buckets if bucket.name == OF_TODAY))
    async with running(EmbeddedSettings(state=state, port=-1)):
        # The server has written the old rights down.
        before = (state / "nats" / "auth.conf").read_text()
    assert not hub_state.initialise(state, servers=(), hosts=[])
    after = (state / "nats" / "auth.conf").read_text()
    # Of the clusters' account the newest JWT, with the revocations, is at the server.
    changed = [line for line in after.splitlines() if line not in before.splitlines()]
    assert len(changed) == 1
    async with running(EmbeddedSettings(state=state, port=-1)) as server:
        bus = credentials.bus_settings(
            state / "credentials" / "registry.creds", (f"tls://localhost:{server.port}",)
        )
        async with connected(bus) as connection:
            await ensure(JetStream(connection), wanted)
    assert not hub_state.initialise(state, servers=(), hosts=[])
    assert (state / "nats" / "auth.conf").read_text() == after


def test_the_bucket_of_this_test_is_one_of_the_registrys() -> None:
    assert OF_TODAY in [bucket.name for bucket in HUB.of("registry").buckets]
