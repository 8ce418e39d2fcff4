"""An edge that pulls Git itself: real servers, the real process, a replica on disk."""

from pathlib import Path

from tests.integration.rendering.repositories import Repository
from tests.integration.rendering.servers import HttpsServer, SshServer

from outrider_playground.kubernetes import SimulatedCluster

from .site import QUICK, Site, config_map, running


async def test_an_application_follows_its_repository_with_the_site_s_own_credentials(
    site: Site, served: Repository, url: str
) -> None:
    first = served.commit({"till/a.yaml": config_map("a")})
    site.want("till", {"repoURL": url, "path": "till"})
    await site.at(first)
    assert site.names() == {"a"}

    second = served.commit({"till/a.yaml": config_map("a"), "till/b.yaml": config_map("b")})
    found = await site.look()

    assert found == {"revisions": {url: {"HEAD": second}}, "warnings": []}
    assert site.revision() == second
    assert site.names() == {"a", "b"}
    assert site.journal == [("till", first), ("till", second)]


async def test_it_follows_over_ssh_with_a_template_of_credentials(
    site: Site, served: Repository, ssh: SshServer
) -> None:
    commit = served.commit({"till/a.yaml": config_map("a")})
    site.want("till", {"repoURL": ssh.url("team/app.git"), "path": "till", "targetRevision": "main"})
    await site.at(commit)


async def test_it_polls_by_itself(
    tmp_path: Path, cluster: SimulatedCluster, served: Repository, url: str
) -> None:
    settings = type(QUICK)(poll_interval_s=0.1)
    async with running(tmp_path / "site", cluster, settings) as site:
        site.want("till", {"repoURL": url, "path": "till"})
        for number in range(2):
            await site.at(served.commit({"till/a.yaml": config_map(f"a{number}")}))


async def test_one_conversation_serves_all_applications_of_a_repository(
    site: Site, served: Repository, https: HttpsServer, url: str
) -> None:
    files = {f"{name}/a.yaml": config_map(name) for name in ("till", "menu", "lights")}
    commit = served.commit(files)
    for name in ("till", "menu", "lights"):
        site.want(name, {"repoURL": url, "path": name})
    for name in ("till", "menu", "lights"):
        await site.at(commit, name)
        assert site.names(name) == {name}
    before = len(https.requests.lines)

    await site.look("menu")

    assert https.requests.lines[before:] == ["GET /team/app.git/info/refs"]


async def test_a_commit_that_a_source_does_not_read_changes_nothing(
    site: Site, served: Repository, url: str
) -> None:
    files = {"till/a.yaml": config_map("a")}
    commit = served.commit(files)
    site.want("till", {"repoURL": url, "path": "till"})
    await site.at(commit)
    before = len(site.changes)

    served.commit({**files, "README.md": "of no concern"})
    await site.look()

    assert (site.revision(), len(site.changes)) == (commit, before)


async def test_applications_that_come_to_the_same_manifests_are_rendered_once(
    site: Site, served: Repository, url: str
) -> None:
    commit = served.commit({"till/a.yaml": config_map("a")})
    for name in ("till", "till-2"):
        site.want(name, {"repoURL": url, "path": "till"})
    for name in ("till", "till-2"):
        await site.at(commit, name)
    first, second = (site.standing(name).rendered for name in ("till", "till-2"))
    assert first is not None
    assert second is not None
    assert first.digest == second.digest


async def test_several_sources_are_one_bundle(
    site: Site, served: Repository, url: str, ssh: SshServer
) -> None:
    values = config_map("a", greeting="hello")
    commit = served.commit(
        {"till/a.yaml": values, "more/b.yaml": config_map("b"), "more/a.yaml": config_map("a")}
    )
    site.want(
        "till",
        {"repoURL": url, "path": "till"},
        {"repoURL": ssh.url("team/app.git"), "path": "more", "targetRevision": "main"},
    )
    await site.at(f"{commit},{commit}")
    assert site.names() == {"a", "b"}
    assert (
        "RepeatedResourceWarning",
        "ConfigMap a appears 2 times among the sources' objects; the last one counts.",
    ) in (site.standing().conditions)


async def test_a_spec_that_changes_is_rendered_at_once_and_what_ran_stays_until_then(
    site: Site, served: Repository, url: str
) -> None:
    commit = served.commit({"till/a.yaml": config_map("a"), "other/b.yaml": config_map("b")})
    site.want("till", {"repoURL": url, "path": "till"})
    await site.at(commit)

    site.want("till", {"repoURL": url, "path": "other"})
    assert site.names() == {"a"}

    await site.until(lambda: site.names() == {"b"})


async def test_an_application_that_may_follow_no_more_stays_at_what_it_has(
    site: Site, served: Repository, url: str
) -> None:
    commit = served.commit({"till/a.yaml": config_map("a")})
    site.want("till", {"repoURL": url, "path": "till"})
    await site.at(commit)

    site.want("till")
    served.commit({"till/b.yaml": config_map("b")})

    assert await site.look() == {"revisions": {}, "warnings": []}
    assert (site.revision(), site.error()) == (commit, "")
    assert site.renderer.pid == 0


async def test_the_process_is_there_only_while_something_is_rendered_here(
    site: Site, served: Repository, url: str
) -> None:
    assert site.renderer.pid == 0
    commit = served.commit({"till/a.yaml": config_map("a")})
    site.want("till", {"repoURL": url, "path": "till"})
    await site.at(commit)
    assert site.renderer.pid
    assert site.about.document()["rendering"] == {"applications": 1, "repositories": [{"url": url}]}

    site.rendering.forget("till")  # type: ignore[arg-type]

    assert site.renderer.pid == 0
    assert "rendering" not in site.about.document()
