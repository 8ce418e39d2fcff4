"""What goes wrong at a Git server or in a repository: the last good bundle stays, and a condition says why and at which revision."""

from pathlib import Path
from typing import Any

import pytest
from tests.integration.rendering.repositories import Files, Repository
from tests.integration.rendering.servers import PASSWORD, Certificate, HttpsServer, https_server

from outrider_playground.kubernetes import SimulatedCluster

from .site import Site, config_map, over_https, running

GOOD = {"till/a.yaml": config_map("a")}


@pytest.fixture
async def good(site: Site, served: Repository, url: str) -> str:
    """An application that was rendered once."""
    commit = served.commit(GOOD)
    site.want("till", {"repoURL": url, "path": "till"})
    await site.at(commit)
    return commit


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"till/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a\n"}, "till/a.yaml"),
        ({"other/a.yaml": config_map("a")}, "till"),
        ({"till/README.md": "nothing at all"}, "renders to nothing, and would take away all that runs"),
        ({"till/kustomization.yaml": "resources: [https://example.com/base]"}, "example.com"),
    ],
)
async def test_a_commit_that_can_not_be_rendered_leaves_the_last_good_one_and_is_named(
    site: Site, served: Repository, url: str, good: str, files: Files, said: str
) -> None:
    bad = served.commit(files)
    await site.look()

    assert site.revision() == good
    assert site.names() == {"a"}
    assert said in site.error()
    assert site.error().startswith(f"{url} till at {bad[:7]}: ")
    assert site.error().endswith(f"(stays at {good[:7]})")

    mended = served.commit({"till/a.yaml": config_map("a", mended="yes")})
    await site.look()
    assert (site.revision(), site.error()) == (mended, "")


async def test_nothing_to_run_is_what_somebody_may_mean(
    site: Site, served: Repository, url: str, good: str
) -> None:
    empty = served.commit({"till/README.md": "nothing at all"})
    await site.look()
    assert "allowEmpty" in site.error()

    policy = {"automated": {"prune": True, "allowEmpty": True}}
    site.want("till", {"repoURL": url, "path": "till"}, syncPolicy=policy)

    await site.at(empty)
    assert site.manifests() == []


async def test_a_first_rendering_that_fails_is_told_too(site: Site, served: Repository, url: str) -> None:
    served.commit(GOOD)
    site.want("till", {"repoURL": url, "path": "shpo"})
    await site.until(lambda: "shpo" in site.error())
    assert site.standing().rendered is None
    site.want("till", {"repoURL": url, "path": "till", "targetRevision": "mian"})
    await site.until(lambda: "did you mean main" in site.error())


async def test_git_that_is_away_leaves_what_runs_and_is_followed_again_when_it_is_back(
    site: Site, https: HttpsServer, served: Repository, url: str, good: str
) -> None:
    def away(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("503 Service Unavailable", [("Content-Length", "0")])
        return [b""]

    https.answers.append(away)
    newest = served.commit({"till/b.yaml": config_map("b")})
    await site.look()
    assert "HTTP 503" in site.error()
    assert site.about.document()["rendering"]["repositories"][0]["error"]
    assert site.names() == {"a"}

    https.answers.clear()
    await site.look()
    assert (site.revision(), site.error()) == (newest, "")


async def test_one_broken_application_holds_up_no_other(
    site: Site, served: Repository, url: str, good: str
) -> None:
    newest = served.commit({"till/a.yaml": "[" * 50_000, "menu/a.yaml": config_map("menu")})
    site.want("menu", {"repoURL": url, "path": "menu"})
    await site.at(newest, "menu")
    await site.until(lambda: site.error("till"))
    assert (site.revision("till"), site.error("menu")) == (good, "")


async def test_a_restart_without_git_goes_on_with_what_was_rendered_and_asks_for_nothing_first(
    tmp_path: Path, cluster: SimulatedCluster, served: Repository, certificate: Certificate
) -> None:
    commit = served.commit(GOOD)
    with https_server(tmp_path / "served", certificate, password=PASSWORD) as server:
        url = f"{server.url}/team/app.git"
        cluster.apply(over_https(certificate, url))
        async with running(tmp_path / "site", cluster) as site:
            site.want("till", {"repoURL": url, "path": "till"})
            await site.at(commit)
    async with running(tmp_path / "site", cluster) as site:
        site.start()
        assert (site.revision(), site.error(), site.names()) == (commit, "", {"a"})
        assert site.renderer.pid == 0

        await site.look()
        assert "can't connect" in site.error()
        assert site.names() == {"a"}
