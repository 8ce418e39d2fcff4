from dataclasses import replace

"""The end of applications: only by a signed tombstone, which stays until its edge is known to have carried it out."""

import pytest

from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.services import RequestRefused
from outrider.messages import Generation
from outrider.names import AppName
from outrider.topology import APPLICATIONS, CONDITIONS

from .conftest import Fleet, application, bundle, eventually, running

TILL, MENU = AppName("till"), AppName("menu")


async def test_a_deleted_application_ends_on_its_edge_and_is_gone_once_the_edge_says_so(
    served: Fleet,
) -> None:
    edge = await served.edge("shop1")
    rendering = await served.deliver(edge)
    await served.rendering(await served.wanted(), replace(rendering, error="no such path"))
    await served.condition("till", "no such path")
    await served.report(edge, "till", b"synced")
    assert await served.ask("app.delete", name="till") == {"name": "till", "result": "deleting"}
    _, end = await edge.next()
    assert (end.is_tombstone, end.cascade, end.generation) == (True, True, Generation(1, 2))
    assert (await served.ask("app.get", name="till"))["deleting"]
    await served.report(edge, "till", None)
    await served.gone("till")
    conditions = KeyValue(JetStream(served.aggregator), CONDITIONS).watch()
    async for changes in conditions:
        if any(change.key == "till" and change.value is None for change in changes.changes):
            break
    await conditions.aclose()  # type: ignore[attr-defined]


async def test_without_argo_cds_finalizer_the_objects_stay_unless_the_person_says_otherwise(
    served: Fleet,
) -> None:
    edge = await served.edge("shop1")
    for name in ("till", "menu"):
        await served.ask("app.apply", manifest=application(name))
        await served.render(await served.wanted(lambda r, n=name: r.source["path"] == n), bundle(name))  # type: ignore[misc]
        await edge.next()
    await served.ask("app.delete", name="till")
    assert not (await edge.next())[1].cascade
    await served.ask("app.delete", name="menu", cascade=True)
    assert (await edge.next())[1].cascade


async def test_who_changes_their_mind_about_the_objects_is_followed(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    await served.ask("app.delete", name="till", cascade=False)
    assert not (await edge.next())[1].cascade
    await served.ask("app.delete", name="till", cascade=True)
    assert (await edge.next())[1].cascade
    await served.ask("app.delete", name="till")
    await served.deliver(edge, "menu")
    assert edge.held[MENU].counter == 4


async def test_what_the_status_said_before_the_tombstone_proves_nothing(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.report(edge, "till", b"of an earlier application")
    await served.report(edge, "till", None)
    await served.deliver(edge)
    await served.ask("app.delete", name="till")
    await edge.next()
    # Far longer than a look at the status takes: another application comes and goes.
    await served.deliver(edge, "menu")
    await served.report(edge, "menu", b"synced")
    await served.ask("app.delete", name="menu")
    await edge.next()
    await served.report(edge, "menu", None)
    await served.gone("menu")
    assert (await served.ask("app.get", name="till"))["deleting"]
    await served.report(edge, "till", None)
    await served.gone("till")


async def test_an_edge_that_never_reported_proves_it_by_what_it_holds(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge, "menu")
    await served.deliver(edge)
    await served.ask("app.delete", name="till")
    await edge.next()
    await served.until(lambda found: found["desired"] is None, "app.get", name="till")
    assert await edge.resync() == []
    assert (await served.ask("app.get", name="till"))["deleting"]
    del edge.held[TILL]
    await edge.resync()
    await served.gone("till")


async def test_a_cluster_that_comes_back_after_a_year_still_learns_of_the_end(fleet: Fleet) -> None:
    async with running(fleet.hub):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        await fleet.deliver(edge)
        await edge.resync()
        await fleet.ask("app.delete", name="till")
        await edge.next()
        edge.held[TILL] = edge.held[TILL].__class__(**{**edge.held[TILL].__dict__, "counter": 1})
    async with running(fleet.hub):
        await fleet.ready()
        assert await edge.resync() == [TILL]
        assert edge.held[TILL].is_tombstone


async def test_a_tombstone_that_was_carried_out_is_dropped_but_its_number_is_never_used_again(
    fleet: Fleet,
) -> None:
    async with running(fleet.hub):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        await fleet.deliver(edge)
        await fleet.ask("app.delete", name="till")
        await edge.next()
        await fleet.report(edge, "till", None)
        await fleet.gone("till")
        del edge.held[TILL]
        assert [d.is_tombstone for d in (await fleet.desired()).values()] == [True]
        answer, _ = await edge.ask(epoch=1, counter=2)
        assert (answer.records, answer.counter) == ([], 2)
    async with running(fleet.hub):
        await fleet.ready()
        await fleet.deliver(edge, "menu")
        assert edge.held[MENU].generation == Generation(1, 3)

        async def dropped() -> bool:
            return list(await fleet.desired()) == ["fleet.shop1.desired.menu"]

        await eventually(dropped)


async def test_an_application_that_runs_nowhere_is_gone_at_once(served: Fleet) -> None:
    await served.ask("app.apply", manifest=application("till", "nowhere"))
    await served.ask("app.delete", name="till")
    await served.gone("till")
    with pytest.raises(RequestRefused, match="there is no application 'till'"):
        await served.ask("app.delete", name="till")


async def test_an_application_made_again_is_another_one_with_a_higher_number(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    first = edge.held[TILL].uid
    await served.ask("app.delete", name="till")
    await edge.next()
    with pytest.raises(RequestRefused, match="is being deleted"):
        await served.ask("app.apply", manifest=application("till"))
    await served.report(edge, "till", None)
    await served.gone("till")
    await served.deliver(edge)
    assert edge.held[TILL].generation == Generation(1, 3)
    assert edge.held[TILL].uid != first


async def test_a_registry_that_has_lost_its_applications_removes_nothing(fleet: Fleet) -> None:
    async with running(fleet.hub):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        await fleet.deliver(edge)
    async with fleet.hub.connect("registry") as connection:
        await JetStream(connection).api(f"STREAM.PURGE.{APPLICATIONS.stream}", {})
    async with running(fleet.hub):
        await fleet.ready()
        assert await edge.resync() == []
        await fleet.deliver(edge, "menu")
        held = await fleet.desired()
        assert {subject: record.is_tombstone for subject, record in held.items()} == {
            "fleet.shop1.desired.till": False,
            "fleet.shop1.desired.menu": False,
        }
