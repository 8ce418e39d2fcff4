"""How a site reaches its repositories: by its own Secrets, and nothing inside its network that none of them names."""

import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.rendering.repositories import Repository
from tests.integration.rendering.servers import PASSWORD, Certificate, HttpsServer, SshServer

from outrider_playground.kubernetes import SimulatedCluster

from .site import QUICK, Site, config_map, over_https, over_ssh, running, secret

FILES = {"till/a.yaml": config_map("a")}


async def wrong(site: Site, url: str) -> str:
    """Return what is said of an application in a repository that can't be had."""
    site.want("till", {"repoURL": url, "path": "till"})
    await site.until(site.error)
    return site.error()


async def test_a_wrong_password_is_named_and_a_right_one_is_used_at_the_next_look(
    site: Site, served: Repository, certificate: Certificate, url: str
) -> None:
    commit = served.commit(FILES)
    site.cluster.apply(over_https(certificate, url, password="not this one"))  # noqa: S106 it is none
    said = await wrong(site, url)
    assert "the server refused the credentials (HTTP 401" in said
    assert "not this one" not in said

    site.cluster.apply(over_https(certificate, url))
    await site.look()
    assert site.revision() == commit


async def test_a_repository_that_asks_for_credentials_says_that_none_are_known(
    site: Site, served: Repository, certificate: Certificate, url: str
) -> None:
    served.commit(FILES)
    site.cluster.apply(secret("https", url=url, tlsCaCert=certificate.pem))
    assert "asks for credentials, and none are known" in await wrong(site, url)


async def test_a_server_that_is_not_who_it_says_is_refused(
    site: Site, served: Repository, ssh: SshServer, url: str
) -> None:
    served.commit(FILES)
    site.cluster.apply(secret("https", url=url, username="robot", password=PASSWORD))
    assert "its TLS certificate is refused" in await wrong(site, url)
    site.cluster.apply(
        over_ssh(replace(ssh, known_hosts=ssh.other_known_hosts), ssh.url("team"), "repo-creds")
    )
    site.want("till", {"repoURL": ssh.url("team/app.git"), "path": "till"})
    await site.until(lambda: "shows another host key" in site.error())


async def test_what_is_inside_the_site_s_network_is_reached_only_where_a_secret_names_its_host(
    site: Site, served: Repository, https: HttpsServer, url: str
) -> None:
    served.commit(FILES)
    by_another_name = url.replace("127.0.0.1", "localhost")
    assert "inside a private network" in await wrong(site, by_another_name)
    for name in ("https", "ssh"):
        site.cluster.delete(site.cluster.get("Secret", name, "outrider") or {})
    site.want("till", {"repoURL": url, "path": "till"})
    await site.until(lambda: url in site.error() and "inside a private network" in site.error())
    assert https.requests.lines == []
    site.want("till", {"repoURL": served.url, "path": "till"})
    await site.until(lambda: "file is not allowed here" in site.error())


async def test_the_only_hosts_that_may_be_used_are_those_that_are_set_and_those_of_secrets(
    tmp_path: Path, cluster: SimulatedCluster, served: Repository, url: str
) -> None:
    commit = served.commit(FILES)
    async with running(tmp_path / "site", cluster, replace(QUICK, hosts=("git.example.com",))) as site:
        assert "not among the allowed hosts" in await wrong(site, "https://github.com/team/app.git")
        site.want("till", {"repoURL": url, "path": "till"})
        await site.at(commit)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"bearerToken": "x"}, "gives a bearer token, which is not supported"),
        ({"tlsClientCertData": "x", "proxy": "http://proxy"}, "gives a TLS client certificate, a proxy"),
        (
            {"insecure": "true"},
            "says not to check who the server is, which always is: give its certificates in tlsCaCert",
        ),
    ],
)
async def test_a_secret_that_can_not_be_honoured_is_refused_by_name(
    site: Site, url: str, values: dict[str, str], said: str
) -> None:
    site.cluster.apply(secret("https", url=url, **values))
    assert said in await wrong(site, url)


async def test_a_secret_of_one_project_reads_nothing_for_another(
    site: Site, served: Repository, certificate: Certificate, url: str
) -> None:
    commit = served.commit(FILES)
    site.cluster.apply(over_https(certificate, url, project="tills"))
    source = {"repoURL": url, "path": "till"}
    site.want("till", source, render={"project": "other"})
    await site.until(site.error)
    site.want("till", source, render={"project": "tills"})
    await site.at(commit)


async def test_secrets_that_may_not_be_read_are_reported(site: Site, served: Repository, url: str) -> None:
    served.commit(FILES)
    site.cluster.faults.forbid("list", "secrets")
    assert "inside a private network" in await wrong(site, url)
    assert "can't be read" in site.conditions["RepositorySecretsUnreadable"]


async def test_a_kubernetes_api_that_is_away_is_no_fault_of_the_repository(
    site: Site, served: Repository, url: str
) -> None:
    commit = served.commit(FILES)
    site.want("till", {"repoURL": url, "path": "till"})
    await site.at(commit)
    site.cluster.faults.answer(503, "list", "secrets", times=3)
    newest = served.commit({"till/b.yaml": config_map("b")})
    before = len(site.changes)

    await site.look()

    assert site.revision() == newest
    assert not any(site.conditions.values())
    assert all(not dict(standing.conditions) for _, standing in site.changes[before:])


async def test_no_secret_is_written_down_shown_or_handed_on(
    tmp_path: Path,
    cluster: SimulatedCluster,
    served: Repository,
    certificate: Certificate,
    ssh: SshServer,
    url: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("OUTRIDER_CREDENTIALS", "KUBECONFIG", "OUTRIDER_SERVERS", "OUTRIDER_KEYS"):
        monkeypatch.setenv(name, "/canary/of/the/agent")
    commit = served.commit(FILES)
    key_line = ssh.private_key.splitlines()[1]
    async with running(tmp_path / "site", cluster) as site:
        site.want("till", {"repoURL": url, "path": "till"})
        site.want("menu", {"repoURL": ssh.url("team/app.git"), "path": "till"})
        for app in ("till", "menu"):
            await site.at(commit, app)
        process = Path("/proc") / str(site.renderer.pid)
        assert b"canary" not in (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        cluster.apply(over_https(certificate, url, password="wrong-canary"))  # noqa: S106 it is none
        await site.look()
        told = repr([site.changes, site.about.document(), site.standing("till")])
    written = b"".join(file.read_bytes() for file in (tmp_path / "site").rglob("*") if file.is_file())
    shown = "".join((*capfd.readouterr(), caplog.text, told))
    for canary in (PASSWORD, "wrong-canary", key_line):
        assert canary not in shown
        assert canary.encode() not in written
    assert os.stat(tmp_path / "site" / "rendering").st_mode & 0o077 == 0
