import json
import stat
from pathlib import Path

from tests.integration.cli.conftest import Outrider
from tests.integration.cli.services import NOW_MS, Services

from outrider.bus import connected
from outrider.identity import credentials, sealing

URL = "https://git.example.com/shops.git"


async def test_a_renderer_connects_with_the_file_that_adding_its_pool_made(
    services: Services, outrider: Outrider, tmp_path: Path
) -> None:
    out = tmp_path / "berlin.creds"
    ended = await outrider("pool", "add", "berlin", "--out", out)
    assert ended.status == 0, ended.stderr
    assert f"outrider renderer --credentials {out}" in ended.stderr
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    held = credentials.load(out)
    assert held.user.inbox == "_INBOX_POOL_berlin"
    assert held.sealing_key is not None
    assert sealing.public_key(held.sealing_key) == services.pools["berlin"]["sealing_key"]
    async with connected(credentials.bus_settings(out)) as renderer:
        assert renderer.name == "berlin"


async def test_the_private_halves_of_a_pools_keys_are_not_sent_to_the_hub(
    services: Services, outrider: Outrider
) -> None:
    ended = await outrider("pool", "add", "berlin")
    held = credentials.parse(ended.stdout)
    assert held.sealing_key is not None
    for secret in (held.user.seed, repr(held.sealing_key), held.sealing_key.hex()):
        assert secret not in repr(services.asked) + ended.stderr


async def test_adding_a_pool_again_to_the_same_file_keeps_both_keys(
    services: Services, outrider: Outrider, tmp_path: Path
) -> None:
    out = tmp_path / "berlin.creds"
    held = []
    for _ in range(2):
        assert (await outrider("pool", "add", "berlin", "--out", out)).status == 0
        held.append(credentials.load(out))
    assert (held[0].user.seed, held[0].sealing_key) == (held[1].user.seed, held[1].sealing_key)


async def test_a_pool_that_has_another_key_is_refused_unless_it_is_to_be_replaced(
    services: Services, outrider: Outrider
) -> None:
    await outrider("pool", "add", "berlin")
    await outrider("repo", "add", URL, "--pool", "berlin")
    refused = await outrider("pool", "add", "berlin")
    assert (refused.status, refused.stdout) == (1, "")
    replaced = await outrider("pool", "add", "berlin", "--replace", "-o", "json")
    assert credentials.parse(json.loads(replaced.stdout)["credentials"]).user.is_pool
    assert f"what is known of {URL} was sealed to the keys that this pool had" in replaced.stderr


async def test_the_credentials_of_a_cluster_are_not_written_over_by_those_of_a_pool_of_its_name(
    services: Services, outrider: Outrider, tmp_path: Path
) -> None:
    out = tmp_path / "shop1.creds"
    await outrider("cluster", "add", "shop1", "--credentials-only", "--out", out)
    ended = await outrider("pool", "add", "shop1", "--out", out)
    assert ended.status == 1
    assert "the credentials of cluster 'shop1'" in ended.stderr


async def test_an_agent_is_not_started_with_the_identity_of_a_pool(
    services: Services, outrider: Outrider, tmp_path: Path
) -> None:
    out = tmp_path / "berlin.creds"
    await outrider("pool", "add", "berlin", "--out", out)
    ended = await outrider("agent", "--credentials", out)
    assert (ended.status, "the identity of pool 'berlin', not a cluster's" in ended.stderr) == (1, True)


async def test_pools_are_shown_with_who_works_and_since_when_nobody_does(
    services: Services, outrider: Outrider
) -> None:
    assert "No pools" in (await outrider("pool", "list")).stdout
    for name in ("berlin", "rome", "oslo"):
        await outrider("pool", "add", name)
    services.pools["berlin"] |= {
        "presence": "online",
        "since_ms": NOW_MS,
        "renderers": [{"name": "a", "version": "0.1.0"}, {"name": "b", "version": "0.1.0"}],
        "urls": [URL],
        "repositories": 1,
        "applications": 2,
    }
    services.pools["rome"] |= {"presence": "offline", "since_ms": NOW_MS}
    shown = (await outrider("pool", "list")).stdout.splitlines()
    assert [line.split()[:2] for line in shown[1:]] == [
        ["berlin", "online,"], ["oslo", "never"], ["rome", "offline,"],
    ]  # fmt: skip
    one = (await outrider("pool", "get", "berlin")).stdout
    assert "works" in one
    assert "a 0.1.0" in one
    assert URL in one
    assert "b 0.1.0" in one
    assert (await outrider("pool", "list", "-o", "name")).stdout.split() == [
        "pool/berlin", "pool/oslo", "pool/rome",
    ]  # fmt: skip


async def test_a_pool_is_removed(services: Services, outrider: Outrider) -> None:
    await outrider("pool", "add", "berlin")
    assert (await outrider("pool", "remove", "berlin")).stdout == "pool/berlin removed\n"
    assert (await outrider("pool", "remove", "berlin")).status == 1
    wrong = await outrider("pool", "remove", "a.b")
    assert (wrong.status, "pool name 'a.b' is not allowed" in wrong.stderr) == (2, True)
