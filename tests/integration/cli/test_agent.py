from pathlib import Path

from tests.integration.cli.conftest import Outrider


async def test_an_agent_is_not_started_with_what_is_no_clusters_identity(
    outrider: Outrider, tmp_path: Path
) -> None:
    missing = await outrider("agent", "--credentials", tmp_path / "nowhere.creds")
    assert missing.status == 1
    assert "nowhere.creds" in missing.stderr
    assert (await outrider("agent")).status == 2
    hub = tmp_path / "hub"
    await outrider("init", "--state", hub)
    person = await outrider("agent", "--credentials", hub / "credentials" / "person.creds")
    assert person.status == 1
    assert "outrider cluster add NAME --credentials-only" in person.stderr


async def test_making_a_hubs_identity_twice_keeps_the_first(outrider: Outrider, tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    first = await outrider("init", "--state", hub, "--host", "hub.example.com")
    trust = (hub / "trust.json").read_bytes()
    again = await outrider("init", "--state", hub)
    assert (first.status, again.status) == (0, 0)
    assert "was there already" in again.stdout
    assert "tls://hub.example.com:4222" in again.stdout
    assert (hub / "trust.json").read_bytes() == trust
    assert (await outrider("init", "--state", hub, "--server", "hub.example.com")).status == 2
