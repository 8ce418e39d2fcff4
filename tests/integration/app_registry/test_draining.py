"""The end of a cluster: drained while it is there or whenever it returns, or given up as lost. Nothing waits for it."""

import pytest

from outrider import codec
from outrider.bus.services import RequestRefused
from outrider.names import AppName
from outrider.records import StatusRecord

from .conftest import Fleet, application, eventually

TILL, MENU = AppName("till"), AppName("menu")


async def state(served: Fleet) -> tuple[str, list[str]]:
    found = await served.ask("cluster.get", name="shop1")
    return found["state"], found.get("left", [])


async def until_drained(served: Fleet) -> None:
    async def drained() -> bool:
        return await state(served) == ("drained", [])

    await eventually(drained)


async def test_a_drained_cluster_ends_everything_and_is_removed_without_force(served: Fleet) -> None:
    edge = await served.edge("shop1")
    for name in ("till", "menu"):
        await served.deliver(edge, name)
        await served.report(edge, name, b"synced")
    answer = await served.ask("cluster.drain", name="shop1")
    assert answer == {"name": "shop1", "state": "draining", "left": ["menu", "till"]}
    ended = {app: record for app, record in [await edge.next(), await edge.next()]}
    assert {app: (one.is_tombstone, one.cascade) for app, one in ended.items()} == {
        TILL: (True, True),
        MENU: (True, True),
    }
    with pytest.raises(RequestRefused, match="has 2 applications; drain it first"):
        await served.ask("cluster.remove", name="shop1")
    for name in ("till", "menu"):
        await served.report(edge, name, None)
    await until_drained(served)
    await served.condition("till", "cluster 'shop1' is being drained")
    assert await served.ask("cluster.remove", name="shop1") == {"name": "shop1", "result": "removed"}
    assert (await served.ask("app.get", name="till"))["deleting"] is False


async def test_a_draining_cluster_takes_nothing_new_until_that_is_cancelled(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.ask("cluster.drain", name="shop1")
    answer = await served.ask("app.apply", manifest=application("till"))
    assert "is being drained and takes nothing new" in answer["warnings"][0]
    assert await served.desired() == {}
    assert (await served.ask("cluster.drain", name="shop1", cancel=True))["state"] == "active"
    await served.deliver(edge)
    assert TILL in edge.held


async def test_what_had_ended_comes_back_when_draining_is_cancelled(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    await served.report(edge, "till", b"synced")
    await served.ask("cluster.drain", name="shop1", keep=True)
    _, end = await edge.next()
    assert (end.is_tombstone, end.cascade) == (True, False)
    await served.report(edge, "till", None)
    await until_drained(served)
    await served.ask("cluster.drain", name="shop1", cancel=True)
    _, again = await edge.next()
    assert not again.is_tombstone
    assert again.generation > end.generation


async def test_a_cluster_that_never_returns_is_given_up_and_what_it_runs_is_told(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    await served.deliver(edge, "menu")
    resources = [
        {"kind": "Deployment", "namespace": "shop", "name": "till"},
        {"kind": "Namespace", "name": "shop"},
    ]
    document = codec.canonical({"resources": resources})
    await served.report(edge, "till", StatusRecord(document, 1, 1).pack())
    await served.ask("app.delete", name="menu")
    await served.ask("cluster.drain", name="shop1")
    answer = await served.ask("cluster.remove", name="shop1", lost=True)
    assert answer["left"] == [
        {"app": "menu", "resources": []},
        {"app": "till", "resources": ["Deployment shop/till", "Namespace shop"]},
    ]
    await served.gone("menu")
    await served.condition("till", "no cluster 'shop1' is registered")
    assert await served.desired() == {}
