"""Row 8: whatever becomes of a repository, the last good bundle stays in force, and the application shows the error and where it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.e2e.faults.agreement import agree
from tests.e2e.faults.shop import bumped, is_mended, runs, shown, tell, vandalise

from outrider_playground.demo import content
from outrider_playground.demo.fleet import OneNodeFleet
from outrider_playground.demo.repository import Repository
from outrider_playground.demo.story import SHOP

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("healed")]

TILL = "till/kustomization.yaml"
GREEDY = "local f(x) = f(x + 1) tailstrict; [{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: f(0)}}]"
SLOW = """\
local fib(n) = if n < 2 then n else fib(n - 1) + fib(n - 2);
[{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'x' + fib(60)}}]
"""


async def commit(fleet: OneNodeFleet, files: dict[str, str], text: str) -> str:
    revision = await asyncio.to_thread(fleet.repository.commit, files, text)
    await tell(fleet)
    return revision


async def till(fleet: OneNodeFleet, tag: str) -> None:
    """Commit another image of the till, whose source is sound, and wait until it runs."""
    files = {TILL: content.KUSTOMIZATION.replace('"1.0"', f'"{tag}"')}
    # No webhook: who waits for its answer waits for every source of the repository.
    await asyncio.to_thread(fleet.repository.commit, files, f"Till {tag}")
    for edge in fleet.edges:
        await _runs_till(fleet, edge.name, tag)


async def _runs_till(fleet: OneNodeFleet, cluster: str, tag: str) -> None:
    edge = fleet.edge(cluster)
    await fleet.until(lambda _: edge.image("till", "demo-till").endswith(f":{tag}"), 60)


@asynccontextmanager
async def in_force(fleet: OneNodeFleet, *says: str) -> AsyncIterator[None]:
    """What runs at the beginning goes on running, is healed, and says at which revision it is and what keeps it there."""
    tag = await bumped(fleet)
    await runs(tag, *fleet.edges)
    await agree(fleet)
    before = (await fleet.known())[f"shop-{fleet.edges[0].name}"]
    yield
    for edge in fleet.edges:
        for text in says:
            await shown(fleet, f"shop-{edge.name}", message=text)
        vandalise(edge)
        await is_mended(edge)
        await runs(tag, edge)
    after = (await fleet.known())[f"shop-{fleet.edges[0].name}"]
    assert (after["revision"], after["health"]) == (before["revision"], "Healthy")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{apiVersion: v1, kind: ConfigMap, metadata: {name: x}\n", id="an open bracket"),
        pytest.param("apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: x\n", id="a tab"),
        pytest.param("apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {a: b}}\n", id="no name"),
    ],
)
async def test_what_cant_be_read_changes_nothing_and_is_named(fleet: OneNodeFleet, text: str) -> None:
    async with in_force(fleet, "mistake.yaml"):
        await commit(fleet, {"shop/mistake.yaml": text}, "A mistake")
    await till(fleet, f"2.{len(text)}")
    await asyncio.to_thread(fleet.repository.remove, ["shop/mistake.yaml"], "Undo")
    await tell(fleet)
    await agree(fleet)


async def test_a_path_that_is_gone_changes_nothing_and_is_named(fleet: OneNodeFleet) -> None:
    folder = fleet.repository.folder
    async with in_force(fleet, "shop"):
        texts = {f"shop/{file.name}": file.read_text() for file in (folder / "shop").iterdir()}
        await asyncio.to_thread(fleet.repository.remove, sorted(texts), "Gone")
        await tell(fleet)
        await shown(fleet, f"shop-{fleet.edges[0].name}", message="shop")
    await till(fleet, "3.1")
    await commit(fleet, texts, "Back")
    await agree(fleet)


async def test_a_server_that_is_away_changes_nothing_and_is_named(fleet: OneNodeFleet) -> None:
    folder = fleet.repository.folder
    elsewhere = folder.with_name("away")
    async with in_force(fleet, str(folder)):
        await asyncio.to_thread(folder.rename, elsewhere)
        await tell(fleet)
    await asyncio.to_thread(elsewhere.rename, folder)
    await agree(fleet)
    tag = await bumped(fleet)
    await runs(tag, *fleet.edges)
    await agree(fleet)


async def test_history_that_is_rewritten_is_followed(fleet: OneNodeFleet) -> None:
    first = await bumped(fleet)
    await runs(first, *fleet.edges)
    second = await bumped(fleet)
    await runs(second, *fleet.edges)
    await asyncio.to_thread(fleet.repository.rewrite, 1)
    await tell(fleet)
    # What the branch says counts, though it is older.
    await runs(first, *fleet.edges)
    await agree(fleet)
    text = content.deployment("shop", "registry.example.com/shop:1.900")
    await commit(fleet, {SHOP: text}, "On another history")
    await runs("1.900", *fleet.edges)
    await agree(fleet)


async def test_a_repository_made_anew_under_the_same_address_is_followed(fleet: OneNodeFleet) -> None:
    """No commit of the one before is in it."""
    folder = fleet.repository.folder
    await agree(fleet)
    await asyncio.to_thread(folder.rename, folder.with_name("before"))
    files = {**content.files(), SHOP: content.deployment("shop", "registry.example.com/shop:1.950")}
    fleet.repository = await asyncio.to_thread(Repository.create, folder, files)
    await tell(fleet)
    await runs("1.950", *fleet.edges)
    await agree(fleet)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(GREEDY, "needs more memory", id="greedy"),
        pytest.param(SLOW, "takes longer", id="slow", marks=pytest.mark.chaos),
    ],
)
async def test_a_rendering_without_end_is_ended_and_named_while_others_go_on(
    fleet: OneNodeFleet, text: str, says: str
) -> None:
    async with in_force(fleet, says):
        await asyncio.to_thread(fleet.repository.commit, {"shop/endless.jsonnet": text}, "Endless")
    await till(fleet, f"4.{len(text)}")
    await asyncio.to_thread(fleet.repository.remove, ["shop/endless.jsonnet"], "Undo")
    await tell(fleet)
    await agree(fleet)
