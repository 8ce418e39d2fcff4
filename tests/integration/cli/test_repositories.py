import json
from pathlib import Path

from tests.integration.cli.conftest import Outrider
from tests.integration.cli.services import COMMIT, Services

from outrider.identity import sealing

URL = "https://git.example.com/shops.git"
CANARY = "s3cret-token-canary"


async def test_a_password_is_sealed_to_the_renderers_and_told_to_nobody_else(
    services: Services, outrider: Outrider
) -> None:
    ended = await outrider(
        "repo", "add", URL, "--username", "ci", "--password-stdin", stdin=f"{CANARY}\n".encode()
    )
    assert ended.status == 0, ended.stderr
    assert CANARY not in ended.stdout + ended.stderr
    assert CANARY not in repr(services.asked)
    sealed = services.repositories[URL]["sealed"]
    assert sealing.unseal(sealed, services.sealing_key) == {"username": "ci", "password": CANARY}
    assert services.repositories[URL]["public"] == {"kind": "password", "username": "ci"}


async def test_an_ssh_key_is_sealed_to_its_pool_with_the_keys_of_the_servers_it_may_meet(
    services: Services, outrider: Outrider, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("PRIVATE")
    (tmp_path / "hosts").write_text("git.example.com ssh-ed25519 AAAA")
    url = "ssh://git@git.example.com/shops.git"
    key = sealing.generate_key()
    services.pools["site"] = {"name": "site", "sealing_key": sealing.public_key(key)}
    ended = await outrider(
        "repo",
        "add",
        url,
        "--ssh-key",
        tmp_path / "key",
        "--known-hosts",
        tmp_path / "hosts",
        "--pool",
        "site",
    )
    assert ended.status == 0, ended.stderr
    assert sealing.unseal(services.repositories[url]["sealed"], key) == {
        "ssh_private_key": "PRIVATE",
        "ssh_known_hosts": "git.example.com ssh-ed25519 AAAA",
    }
    assert services.repositories[url]["pool"] == "site"


async def test_a_public_repository_is_added_without_a_secret(services: Services, outrider: Outrider) -> None:
    assert (await outrider("repo", "add", URL)).status == 0
    assert "sealed" not in services.repositories[URL]
    shown = (await outrider("repo", "list")).stdout.splitlines()
    assert shown[1].split()[:3] == [URL, "default", "none"]


async def test_what_can_not_be_meant_is_a_usage_error(outrider: Outrider, tmp_path: Path) -> None:
    for options in (
        ["--password-stdin"],
        ["--username", "ci"],
        ["--ssh-key", str(tmp_path / "key")],
    ):
        ended = await outrider("repo", "add", URL, *options)
        assert ended.status == 2, options
    ended = await outrider("repo", "add", f"https://ci:{CANARY}@git.example.com/shops.git")
    assert ended.status == 2
    assert CANARY not in ended.stderr


async def test_a_secret_file_that_can_not_be_read_is_named(
    services: Services, outrider: Outrider, tmp_path: Path
) -> None:
    ended = await outrider("repo", "add", URL, "--ca", tmp_path / "nowhere.pem")
    assert ended.status == 1
    assert "nowhere.pem" in ended.stderr
    (tmp_path / "binary").write_bytes(b"\x7fELF\xff")
    assert "is no text" in (await outrider("repo", "add", URL, "--ca", tmp_path / "binary")).stderr


async def test_a_repository_is_refreshed_in_the_pool_that_serves_it(
    services: Services, outrider: Outrider
) -> None:
    ended = await outrider("repo", "refresh", URL)
    assert ended.stdout.splitlines()[1].split() == [URL, "main", COMMIT]
    everything = json.loads((await outrider("repo", "refresh", "-o", "json")).stdout)
    assert everything[0]["pool"] == "default"


async def test_a_pool_that_nobody_serves_keeps_nobody_from_hearing_of_the_others(
    services: Services, outrider: Outrider
) -> None:
    services.pools["berlin"] = {"name": "berlin"}
    ended = await outrider("repo", "refresh")
    assert ended.status == 1
    assert COMMIT in ended.stdout
    assert "not looked at: nobody serves pool 'berlin': it does not exist, or" in ended.stderr


async def test_edges_that_render_from_a_repository_themselves_are_told_to_look(
    services: Services, outrider: Outrider
) -> None:
    services.edges[URL] = 3
    ended = await outrider("repo", "refresh", URL)
    assert (ended.status, "3 edges were told to look" in ended.stderr) == (0, True)
    assert ended.stdout.splitlines()[1].split() == [URL, "main", COMMIT]
    services.edges_alone.add(URL)
    ended = await outrider("repo", "refresh", URL, "-o", "json")
    assert (ended.status, json.loads(ended.stdout)) == (0, [{"edges": 3}])
    services.edges.clear()
    ended = await outrider("repo", "refresh", URL)
    assert (ended.status, "no application uses" in ended.stderr) == (1, True)


async def test_a_repository_is_forgotten(services: Services, outrider: Outrider) -> None:
    await outrider("repo", "add", URL)
    assert (await outrider("repo", "remove", URL)).status == 0
    refused = await outrider("repo", "remove", URL)
    assert refused.status == 1
    assert URL in refused.stderr
