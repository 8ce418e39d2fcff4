"""From the hub's renderers to the edge and back, and renderings that somebody asks for."""

import pytest
from tests.integration.rendering.repositories import Repository

from edge_agent.rendering.requests import CannotRender
from outrider import codec, delta
from outrider.names import AppName

from .site import Site, config_map

TILL = AppName("till")


def bundle(*names: str) -> bytes:
    return codec.canonical(
        [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}}
            for name in names
        ]
    )


async def test_what_the_hub_rendered_goes_on_and_the_same_content_changes_nothing(
    site: Site, served: Repository, url: str
) -> None:
    served.commit({"till/a.yaml": config_map("a")})
    site.accept("till", delta.digest(bundle("a")), bundle("a"))
    site.want("till", {"repoURL": url, "path": "till"})
    taken_over = site.standing()
    assert (site.revision(), site.names()) == ((b"r" * 20).hex(), {"a"})

    await site.look()

    after = site.standing()
    assert after.rendered is not None
    assert taken_over.rendered is not None
    assert (after.rendered.digest, after.rendered.revision) == (
        taken_over.rendered.digest,
        taken_over.rendered.revision,
    )
    newest = served.commit({"till/a.yaml": config_map("a"), "till/b.yaml": config_map("b")})
    await site.look()
    assert site.revision() == newest


async def test_a_rendering_that_comes_after_the_hub_took_over_is_thrown_away(
    site: Site, served: Repository, url: str
) -> None:
    commit = served.commit({"till/a.yaml": config_map("a")})
    site.want("till", {"repoURL": url, "path": "till"})
    await site.at(commit)
    served.commit({"till/b.yaml": config_map("b")})
    site.rendering.places.look(site.rendering.places.all()[0].place, 0)
    before = len(site.changes)

    site.accept("till", delta.digest(bundle("hub")), bundle("hub"))
    site.rendering.forget(TILL)

    site.want("menu", {"repoURL": url, "path": "till"})
    await site.until(lambda: site.revision("menu"))
    assert site.standing().rendered is None
    assert [app for app, _ in site.changes[before:]] == ["menu"]


async def test_a_revision_that_somebody_asks_for_is_rendered_and_held_and_changes_nothing_else(
    site: Site, served: Repository, url: str
) -> None:
    first = served.commit({"till/a.yaml": config_map("a")})
    site.want("till", {"repoURL": url, "path": "till"})
    await site.at(first)
    served.tag("v2", served.commit({"till/b.yaml": config_map("b")}, branch="next"))

    for _ in range(2):
        revision, digest = await site.requests.at("till", "v2")
        assert site.replica.bundles.get(digest) == bundle("b")
    assert revision != first
    assert site.revision() == first
    with pytest.raises(CannotRender, match=r"revision v3 can't be rendered: revision 'v3' does not exist"):
        await site.requests.at("till", "v3")
    with pytest.raises(CannotRender, match="has no source to render"):
        await site.requests.at("menu", "v2")


async def test_edges_are_told_of_a_repository_by_any_spelling(
    site: Site, served: Repository, url: str
) -> None:
    site.want("till", {"repoURL": url, "path": "till"})
    await site.at(served.commit({"till/a.yaml": config_map("a")}))
    newest = served.commit({"till/b.yaml": config_map("b")})

    assert site.requests.fetch(["https://git.example.com/other.git"], 0) == 0
    assert site.requests.fetch([url.removesuffix(".git")], 0.05) == 1

    await site.at(newest)
