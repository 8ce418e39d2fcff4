"""Pools, their identities, and what their absence means for applications."""

import asyncio

import pytest

from outrider import subjects
from outrider.bus import connected
from outrider.bus.services import Endpoint, RequestRefused, serve
from outrider.identity import sealing
from outrider.identity.keys import generate
from outrider.tasks import background

from .conftest import COMMIT, REPOSITORY, Fleet, application, bundle, eventually
from .test_clusters import is_let_in

OTHER = "https://git.example.com/values.git"


def two_sources() -> dict[str, object]:
    manifest = application("till")
    manifest["spec"].pop("source")
    manifest["spec"]["sources"] = [
        {"repoURL": REPOSITORY, "path": "till", "directory": {}},
        {"repoURL": OTHER, "path": "till", "directory": {}},
    ]
    return manifest


async def test_an_added_pool_gets_all_that_its_renderers_need(served: Fleet) -> None:
    key = generate("user")
    answer = await served.add_pool("berlin", key)
    assert (answer["name"], answer["servers"]) == ("berlin", ["tls://localhost:4222"])
    assert "BEGIN CERTIFICATE" in answer["ca_pem"]
    found = await served.until(lambda item: item["presence"] == "unknown", "pool.get", name="berlin")
    assert (found["public_key"], found["repositories"], found["applications"]) == (key.public, 0, 0)
    again = await served.add_pool("berlin", key)
    assert again["name"] == "berlin"


async def test_credentials_are_sealed_to_the_pool_that_serves_the_repository(served: Fleet) -> None:
    private = sealing.generate_key()
    await served.add_pool("berlin", sealing_key=sealing.public_key(private))
    hub_key = (await served.ask("repo.key"))["sealing_key"]
    key = (await served.ask("repo.key", url=REPOSITORY, pool="berlin"))["sealing_key"]
    assert key == sealing.public_key(private) != hub_key
    sealed = sealing.seal({"password": "hunter2"}, key)
    await served.ask("repo.add", url=REPOSITORY, pool="berlin", sealed=sealed)
    # What is said anew of a repository goes to the pool that it has.
    assert (await served.ask("repo.key", url=REPOSITORY))["sealing_key"] == key
    with pytest.raises(RequestRefused, match="sealed to the renderers of pool 'berlin': give them again"):
        await served.ask("repo.add", url=REPOSITORY, pool="default")
    await served.ask("repo.add", url=REPOSITORY, pool="default", sealed=sealing.seal({}, hub_key))


async def test_a_repository_of_a_pool_that_does_not_exist_is_refused_with_the_advice(served: Fleet) -> None:
    for verb in ("repo.add", "repo.key"):
        with pytest.raises(
            RequestRefused, match="no pool 'berlin': add it first, with `outrider pool add berlin`"
        ):
            await served.ask(verb, url=REPOSITORY, pool="berlin")
    with pytest.raises(RequestRefused, match="there is no pool 'berlin'"):
        await served.ask("pool.get", name="berlin")
    with pytest.raises(RequestRefused, match="the hub's own renderers"):
        await served.add_pool("default")


async def test_a_pool_is_not_given_to_another_key_unless_the_old_one_is_to_be_replaced(served: Fleet) -> None:
    await served.add_pool("berlin")
    await served.ask("repo.add", url=REPOSITORY, pool="berlin", sealed=b"x" * 48)
    await served.ask("repo.add", url=OTHER, pool="berlin")
    await served.until(lambda item: item["repositories"] == 2, "pool.get", name="berlin")
    with pytest.raises(RequestRefused, match="registered with another key"):
        await served.add_pool("berlin")
    answer = await served.add_pool("berlin", replace=True)
    assert answer["sealed_before"] == [REPOSITORY]


async def test_a_removed_pool_is_disconnected_at_once_and_its_key_never_comes_back(served: Fleet) -> None:
    key = generate("user")
    await served.add_pool("berlin", key)
    await served.ask("repo.add", url=REPOSITORY, pool="berlin")
    await served.until(lambda item: item["urls"] == [REPOSITORY], "pool.get", name="berlin")
    edge = await served.edge("berlin")
    bus = served.hub.pool_settings("berlin", key)
    async with connected(bus) as renderer, asyncio.timeout(10):
        with pytest.raises(RequestRefused, match=f"serves 1 repositories, as {REPOSITORY}"):
            await served.ask("pool.remove", name="berlin")
        await served.ask("pool.remove", name="berlin", force=True)
        await renderer.wait_lost()
    assert not await is_let_in(bus)
    # The cluster of the same name has nothing to do with it.
    assert edge.connection.is_connected
    with pytest.raises(RequestRefused, match="this key was revoked"):
        await served.add_pool("berlin", key)


async def test_an_application_says_since_when_its_pool_is_offline_until_it_is_back(served: Fleet) -> None:
    await served.add_pool("berlin")
    await served.ask("repo.add", url=REPOSITORY, pool="berlin")
    await served.until(lambda item: item["repositories"] == 1, "pool.get", name="berlin")
    edge = await served.edge("shop1")
    applied = await served.ask("app.apply", manifest=application("till"))
    assert "which has never been connected" in str(applied["warnings"])
    await served.condition("till", "it has not been rendered yet")
    await served.pool_seen("berlin", online=True)
    await served.condition("till", "")
    key = await served.wanted(lambda record: record.pool == "berlin")
    await served.render(key, bundle("a"))
    app, record = await edge.next()

    await served.pool_seen("berlin", online=False, since_ms=1_796_000_000_000)
    offline = await served.condition("till", "offline since 2026-11-30T00:53:20Z")
    (condition,) = offline.conditions
    assert condition["type"] == "RendererOffline"
    assert condition["message"].startswith(f"repository {REPOSITORY} is rendered by pool 'berlin'")
    assert condition["message"].endswith(f"stays at {COMMIT[:7]}")
    warned = await served.ask("app.apply", manifest=application("till"))
    assert "offline since" in str(warned["warnings"])
    assert f"stays at {COMMIT[:7]}" in str(warned["warnings"])
    listed = await served.ask("pool.list")
    assert [(one["name"], one["presence"], one["applications"]) for one in listed["items"]] == [
        ("berlin", "offline", 1)
    ]

    await served.pool_seen("berlin", online=True)
    await served.condition("till", "")
    # Nothing was sent to the edge for any of this.
    assert edge.held[app] == record


async def test_applications_of_a_removed_pool_stay_as_they_are_and_say_so(served: Fleet) -> None:
    await served.add_pool("berlin")
    await served.pool_seen("berlin", online=True)
    await served.ask("repo.add", url=REPOSITORY, pool="berlin")
    await served.until(lambda item: item["repositories"] == 1, "pool.get", name="berlin")
    edge = await served.edge("shop1")
    await served.deliver(edge)
    await served.ask("pool.remove", name="berlin", force=True)
    await served.condition(
        "till",
        f"pool 'berlin', which does not exist (`outrider pool add berlin` makes it): stays at {COMMIT[:7]}",
    )
    assert "till" in edge.held
    await served.ask("repo.add", url=REPOSITORY, pool="default")
    await served.condition("till", "")


async def test_sources_that_one_renderer_can_not_read_together_are_named(served: Fleet) -> None:
    await served.add_pool("berlin")
    await served.pool_seen("berlin", online=True)
    await served.ask("repo.add", url=REPOSITORY, pool="berlin")
    await served.ask("repo.add", url=OTHER, sealed=b"x" * 48)
    await served.until(lambda answer: len(answer["items"]) == 2, "repo.list")
    await served.edge("shop1")
    warned = await served.ask("app.apply", manifest=two_sources())
    assert f"repository {OTHER} is of pool 'default'" in str(warned["warnings"])
    found = await served.condition("till", "register it with --pool berlin")
    assert [one["type"] for one in found.conditions] == ["ComparisonError"]
    await served.ask("repo.add", url=OTHER, pool="berlin", sealed=b"y" * 48)
    await served.condition("till", "")


async def test_pools_are_listed_by_name_in_pages(served: Fleet) -> None:
    for name in ("c", "a", "b"):
        await served.add_pool(name)

    async def all_there() -> bool:
        return len((await served.ask("pool.list"))["items"]) == 3

    await eventually(all_there)
    first = await served.ask("pool.list", limit=2)
    assert ([one["name"] for one in first["items"]], first["next"]) == (["a", "b"], "b")
    rest = await served.ask("pool.list", after="b")
    assert ([one["name"] for one in rest["items"]], rest["next"]) == (["c"], None)


@pytest.mark.parametrize("name", ["*", ">", "a.b", "Berlin", "", "a b", "gateway.lease", "x" * 64])
async def test_a_name_that_could_reach_beyond_its_pool_is_refused(served: Fleet, name: str) -> None:
    with pytest.raises(RequestRefused):
        await served.add_pool(name)
    with pytest.raises(RequestRefused, match="sealing_key"):
        await served.add_pool("berlin", sealing_key=b"short")


async def test_whoever_renders_an_application_is_asked_about_all_of_its_repositories(served: Fleet) -> None:
    await served.add_pool("berlin")
    await served.pool_seen("berlin", online=True)
    await served.ask("repo.add", url=REPOSITORY, pool="berlin")
    await served.until(lambda item: item["repositories"] == 1, "pool.get", name="berlin")
    await served.edge("shop1")
    await served.ask("app.apply", manifest=two_sources())
    # The second one is in no pool, and it is the first one's that renders both.
    for url in (REPOSITORY, OTHER, None):
        assert await served.ask("repo.refresh", url=url) == {"clusters": 0, "pools": ["berlin"]}
    asked: list[str] = []

    async def refresh(arguments: dict[str, object]) -> dict[str, object]:
        asked.append(str(arguments["url"]))
        return {"revisions": {arguments["url"]: {"HEAD": COMMIT}}}

    endpoint = Endpoint("refresh-berlin", subjects.render("berlin", "refresh"), refresh)
    async with background(serve(served.renderer, "repo-renderer", "0.1.0", [endpoint]), name="renderer"):

        async def looked() -> bool:
            answer = await served.ask("app.refresh", name="till")
            return set(answer["revisions"]) == {REPOSITORY, OTHER}

        await eventually(looked)
    assert {REPOSITORY, OTHER} == set(asked)
