"""What an edge is told that asks what differs."""

from dataclasses import replace

from outrider import subjects
from outrider.messages import Generation
from outrider.names import AppName

from .conftest import NOTHING, Edge, Fleet, application, bundle, eventually, running

APPS = [AppName(f"app-{n}") for n in range(6)]


async def deliver_all(fleet: Fleet, edge: Edge) -> None:
    for app in APPS:
        await fleet.deliver(edge, app)


def forget(edge: Edge, *apps: AppName) -> None:
    for app in apps:
        del edge.held[app]
    edge.seen = min((r.generation for r in edge.held.values()), default=NOTHING)


async def test_an_edge_that_holds_everything_gets_a_few_bytes(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await deliver_all(served, edge)
    answer, size = await edge.ask(epoch=1, counter=6)
    assert (answer.records, answer.more, Generation(answer.epoch, answer.counter)) == ([], False, (1, 6))
    assert size < 10
    fresh, size = await edge.ask(epoch=0, counter=0)
    assert (fresh, size < 10) == (answer, True)


async def test_an_edge_gets_what_it_missed_in_the_order_of_the_records(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await deliver_all(served, edge)
    edge.held = {app: edge.held[app] for app in APPS[:2]}
    edge.seen = Generation(1, 2)
    assert await edge.resync() == APPS[2:]
    assert edge.seen == Generation(1, 6)
    edge.held, edge.seen = {}, NOTHING
    assert await edge.resync() == APPS


async def test_a_long_answer_comes_in_parts_that_fit_together(served: Fleet) -> None:
    edge = await served.edge("shop1")
    rules = [{"kind": f"Kind{n}", "jsonPointers": ["/" + "x" * 900]} for n in range(60)]
    for app in APPS:
        await served.ask("app.apply", manifest=application(app, ignoreDifferences=rules))
    await served.render(await served.wanted(), bundle("a"))
    for _ in APPS:
        await edge.next()
    for app in APPS:
        await served.until(lambda found: found["desired"], "app.get", name=app)
    order = sorted(APPS, key=lambda app: edge.held[app].generation)
    edge.held, edge.seen = {}, NOTHING
    first, size = await edge.ask()
    assert first.more
    assert len(first.records) == 4
    assert size < 300_000
    assert await edge.resync() == order


async def test_an_edge_that_is_ahead_of_its_hub_gets_everything_again_above_what_it_holds(
    fleet: Fleet,
) -> None:
    async with running(fleet.hub):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        await deliver_all(fleet, edge)
        # The hub that this edge knew before was at 4, 900; this one was restored from an old backup.
        edge.held = {app: replace(record, epoch=4, counter=900) for app, record in edge.held.items()}
        edge.seen = Generation(4, 900)
        answer, _ = await edge.ask()
        assert answer.epoch == 5
        for _ in APPS:
            await edge.next()
        assert sorted(record.generation for record in edge.held.values()) == [
            Generation(5, n) for n in range(1, 7)
        ]
        assert all(record.digest is not None for record in edge.held.values())
    async with running(fleet.hub):
        await fleet.ready()
        await fleet.deliver(edge, "menu")
        assert edge.held[AppName("menu")].generation == Generation(5, 7)


async def test_an_epoch_is_not_forgotten_before_the_first_record_of_it(fleet: Fleet) -> None:
    async with running(fleet.hub):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        answer, _ = await edge.ask(epoch=2, counter=70)
        assert (answer.epoch, answer.counter, answer.records) == (3, 0, [])
    async with running(fleet.hub):
        await fleet.ready()
        await fleet.deliver(edge)
        assert edge.held[AppName("till")].generation == Generation(3, 1)


async def test_an_edge_that_lost_a_record_without_a_trace_is_mended(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await deliver_all(served, edge)
    del edge.held[APPS[1]]
    edge.seen = Generation(1, 6)
    await edge.resync()
    for _ in APPS:
        await edge.next()
    assert sorted(edge.held) == APPS
    assert {record.epoch for record in edge.held.values()} == {2}

    async def in_step() -> bool:
        answer, _ = await edge.ask()
        return answer.records == [] and Generation(answer.epoch, answer.counter) == (2, 6)

    await eventually(in_step)
    # Whoever claims to have lost it again and again is not believed at once.
    edge.seen = Generation(2, 6)
    del edge.held[APPS[1]]
    assert await edge.resync() == []
    await served.deliver(edge, "menu")
    assert edge.held[AppName("menu")].generation == Generation(2, 7)


async def test_a_number_that_the_edge_knows_with_another_content_is_given_out_no_more(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await deliver_all(served, edge)
    # What a registry sent that died before the stream had it; the one after it gave the number to what is in the stream.
    app = APPS[1]
    edge.held[app] = replace(edge.held[app], revision="of the one that died")
    edge.seen = Generation(1, 6)
    await edge.resync()
    for _ in APPS:
        await edge.next()
    assert {record.epoch for record in edge.held.values()} == {2}
    assert edge.held[app].revision == edge.held[APPS[0]].revision


async def test_a_removal_whose_number_the_edge_knows_with_another_content_is_told_again(
    served: Fleet,
) -> None:
    edge = await served.edge("shop1")
    await deliver_all(served, edge)
    app = APPS[1]
    # A registry sent it once more and died before the stream had it: the one after it numbers its tombstone alike.
    edge.held[app] = replace(edge.held[app], counter=7)
    edge.seen = Generation(1, 7)
    await served.ask("app.delete", name=app)
    await served.until(lambda found: found["deleting"], "app.get", name=app)
    await eventually(lambda: told_again(edge, app))
    assert edge.held[app].is_tombstone


async def told_again(edge: Edge, app: AppName) -> bool:
    await edge.resync()
    return edge.held[app].generation.epoch == 2


async def test_nonsense_is_ignored_and_the_next_request_is_answered(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await deliver_all(served, edge)
    for nonsense in (b"", b"\xc1", b"\x91" * 5000, b"\x93\x01\xc0\xc0"):
        await edge.connection.publish(subjects.resync(edge.name), nonsense, reply="_INBOX_shop1.x")
    await edge.connection.publish(
        subjects.resync(edge.name),
        b"\x96\x01\xcf" + b"\xff" * 8 + b"\x00\xc4\x08" + b"x" * 8 + b"\x00\x00",
        reply="_INBOX_shop1.x",
    )
    answer, _ = await edge.ask(epoch=1, counter=6)
    assert (answer.epoch, answer.counter) == (1, 6)


async def test_a_cluster_without_any_application_is_answered(served: Fleet) -> None:
    edge = await served.edge("shop1")
    answer, size = await edge.ask()
    assert (answer.epoch, answer.counter, answer.records, answer.more) == (0, 0, [], False)
    assert size < 10
