"""Applications that their edge renders: what it is told, and what the hub keeps to itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from outrider import delta, subjects
from outrider.bus.services import Endpoint, RequestRefused, serve
from outrider.messages import Command, CommandReply, Desired, Generation
from outrider.names import AppName
from outrider.tasks import background

from .conftest import REPOSITORY, Edge, Fleet, application, bundle
from .test_commands import answering
from .test_projects import apply_project, project

RENDER = "outrider.dev/render"
TILL = AppName("till")
SOURCE = {"repoURL": REPOSITORY, "path": "till", "directory": {}}


def rendered(place: str, name: str = "till", **spec: Any) -> dict[str, Any]:
    manifest = application(name, **spec)
    manifest["metadata"]["annotations"] = {RENDER: place}
    return manifest


def at_edge(record: Desired) -> bool:
    return record.digest == b"" and bool(record.spec["render"].get("sources"))


async def next_of(edge: Edge) -> Desired:
    app, record = await edge.next()
    assert app == TILL
    return record


@asynccontextmanager
async def looking(served: Fleet, look: Callable[[], Awaitable[None]]) -> AsyncIterator[list[dict[str, Any]]]:
    """A renderer that looks at its repositories when it is asked to."""
    asked: list[dict[str, Any]] = []

    async def refresh(arguments: dict[str, Any]) -> Any:
        asked.append(arguments)
        if len(asked) == 1:
            raise RequestRefused("nothing is known of that source yet")
        await look()
        return {"revisions": {}}

    endpoint = Endpoint("refresh", subjects.render("default", "refresh"), refresh)
    async with background(serve(served.renderer, "repo-renderer", "0.1.0", [endpoint]), name="renderer"):
        yield asked


async def test_an_edge_that_renders_an_application_gets_its_sources_signed_and_no_renderer_is_asked(
    served: Fleet,
) -> None:
    edge = await served.edge("shop1")
    answer = await served.ask("app.apply", manifest=rendered("edge"))
    assert answer["warnings"] == []

    record = await next_of(edge)

    assert (record.digest, record.revision, record.generation) == (b"", "", Generation(1, 1))
    assert record.spec == {
        "destination": {"namespace": "till"},
        "syncPolicy": application("till")["spec"]["syncPolicy"],
        "render": {"sources": [SOURCE]},
    }
    assert await served.sources() == {}
    found = await served.until(lambda found: found["desired"], "app.get", name="till")
    assert found["render"] == "edge"
    assert found["desired"] == {"generation": [1, 1], "revision": "", "digest": ""}


async def test_a_cluster_says_where_its_applications_are_rendered_and_an_application_says_otherwise(
    served: Fleet,
) -> None:
    edge = await served.edge("shop1", render="edge")
    assert (await served.ask("cluster.get", name="shop1"))["render"] == "edge"
    await served.ask("app.apply", manifest=application("till"))
    assert at_edge(await next_of(edge))

    async def look() -> None:
        await served.render(await served.wanted(), bundle("a"))

    async with looking(served, look):
        await served.ask("app.apply", manifest=rendered("hub"))
        assert (await next_of(edge)).digest == delta.digest(bundle("a"))


async def test_an_application_comes_back_to_the_hub_at_what_its_renderers_find_and_not_at_what_they_had(
    served: Fleet,
) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge, data=bundle("of the day the edge took over"))
    key = await served.wanted()
    await served.ask("cluster.update", name="shop1", render="edge")
    assert at_edge(await next_of(edge))

    async def look() -> None:
        newest = {"base": b"8 bytes.", "patch": b"a patch"}
        await served.render(key, bundle("of today"), revision="f" * 40, **newest)

    async with looking(served, look) as asked:
        await served.ask("cluster.update", name="shop1", render="hub")
        record = await next_of(edge)

    assert record.digest == delta.digest(bundle("of today"))
    assert (record.revision, record.base, record.patch) == (b"\xff" * 20, None, None)
    assert asked == [{"url": REPOSITORY, "key": key}] * 2


async def test_an_application_stays_as_its_edge_rendered_it_while_the_hub_can_not(served: Fleet) -> None:
    edge = await served.edge("shop1")
    rendering = await served.deliver(edge)
    key = await served.wanted()
    await served.ask("cluster.update", name="shop1", render="edge")
    assert at_edge(await next_of(edge))

    async def look() -> None:
        await served.rendering(key, replace(rendering, error="repository gone", error_revision=""))

    async with looking(served, look):
        await served.ask("cluster.update", name="shop1", render="hub")
        await served.condition("till", "repository gone")

    assert edge.arrived.empty()


async def test_an_application_that_waits_for_the_hub_s_renderers_says_so(served: Fleet) -> None:
    edge = await served.edge("shop1", render="edge")
    await served.ask("app.apply", manifest=application("till"))
    assert at_edge(await next_of(edge))

    await served.ask("cluster.update", name="shop1", render="hub")
    await served.condition("till", "stays as its edge rendered it until renderers at the hub have looked")

    async def look() -> None:
        await served.render(await served.wanted(), bundle("a"))

    async with looking(served, look):
        assert (await next_of(edge)).digest == delta.digest(bundle("a"))
        await served.condition("till", "")


async def test_the_repository_is_named_as_it_is_registered(served: Fleet) -> None:
    edge = await served.edge("shop1")
    source = {**SOURCE, "repoURL": REPOSITORY.removesuffix(".git")}
    await served.ask("app.apply", manifest=rendered("edge", source=source))
    assert (await next_of(edge)).spec["render"]["sources"][0]["repoURL"] == source["repoURL"]

    await served.ask("repo.add", url=REPOSITORY)

    assert (await next_of(edge)).spec["render"]["sources"][0]["repoURL"] == REPOSITORY


async def test_what_a_project_permits_no_more_is_not_followed_any_further(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await apply_project(served, project())
    await served.ask("app.apply", manifest=rendered("edge", project="shops"))
    permitted = await next_of(edge)
    assert permitted.spec["render"]["project"] == "shops"

    await apply_project(served, project(sourceRepos=["https://git.example.com/other.git"]))
    stopped = await next_of(edge)
    assert stopped.spec == {**permitted.spec, "render": {}}
    assert stopped.digest == b""
    await served.condition("till", "does not permit")

    await apply_project(served, project())
    assert (await next_of(edge)).spec == permitted.spec


async def test_an_application_that_its_project_does_not_permit_is_refused_wherever_it_is_rendered(
    served: Fleet,
) -> None:
    await served.add_cluster("shop1", render="edge")
    await apply_project(served, project(sourceRepos=["https://git.example.com/other.git"]))
    with pytest.raises(RequestRefused, match="does not permit"):
        await served.ask("app.apply", manifest=rendered("edge", project="shops"))


@pytest.mark.parametrize("place", ["Edge", "", "cluster"])
async def test_a_place_that_is_none_is_refused_by_name(served: Fleet, place: str) -> None:
    with pytest.raises(RequestRefused, match=r"outrider\.dev/render is edge or hub"):
        await served.ask("app.apply", manifest=rendered(place))
    if place:
        with pytest.raises(RequestRefused, match="render: is edge or hub"):
            await served.add_cluster("shop1", render=place)


async def test_a_sync_of_another_revision_is_left_to_the_edge_that_renders(served: Fleet) -> None:
    edge = await served.edge("shop1")
    manifest = rendered("edge", syncPolicy={})
    await served.ask("app.apply", manifest=manifest)
    await next_of(edge)
    heard = await answering(edge, lambda _: CommandReply({"app": "till", "result": "started"}))

    await served.ask("app.sync", name="till", revision="v1.2")

    assert heard[0].arguments == {"app": "till", "revision": "v1.2"}


async def test_a_refresh_is_answered_by_the_edge_that_renders(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.ask("app.apply", manifest=rendered("edge"))
    await next_of(edge)
    said = {"result": "refreshed", "revisions": {REPOSITORY: {"HEAD": "f" * 40}}, "warnings": ["slow"]}
    await answering(edge, lambda _: CommandReply(said))

    assert await served.ask("app.refresh", name="till") == {"app": "till", **said}


async def test_edges_that_render_from_a_repository_are_told_when_it_moves_and_no_others(
    served: Fleet,
) -> None:
    renders, asks = await served.edge("shop1"), await served.edge("shop2")
    await served.ask("app.apply", manifest=rendered("edge"))
    await served.ask("app.apply", manifest=application("menu", "shop2"))
    await next_of(renders)
    heard = [await commands_of(edge) for edge in (renders, asks)]

    for url in (REPOSITORY.removesuffix(".git"), None):
        assert await served.ask("repo.refresh", url=url) == {"clusters": 1, "pools": ["default"]}
        async with asyncio.timeout(10):
            assert await heard[0].get() == ("fetch", {"urls": [REPOSITORY], "within_s": 0})
    assert await served.ask("repo.refresh", url="https://git.example.com/other.git") == {
        "clusters": 0,
        "pools": [],
    }
    assert heard[1].empty()


async def commands_of(edge: Edge) -> asyncio.Queue[tuple[str, dict[str, Any]]]:
    heard = asyncio.Queue[tuple[str, dict[str, Any]]]()

    async def hear(message: Any) -> None:
        verb = message.subject.rsplit(".", 1)[1]
        heard.put_nowait((verb, Command.unpack(message.data).arguments))

    await edge.connection.subscribe(subjects.commands_of(edge.name), hear)
    await edge.connection.flush()
    return heard
