"""True records of the past that are in the stream again: a NATS server that was killed may bring them back after a purge."""

from outrider import subjects
from outrider.bus.jetstream import JetStream
from outrider.names import AppName, ClusterName

from .conftest import Edge, Fleet, application, eventually, running

TILL, MENU = AppName("till"), AppName("menu")


async def stored(fleet: Fleet, cluster: str, app: AppName) -> bytes:
    """Return a record as it is in the stream."""
    js = JetStream(fleet.aggregator)
    return (await js.last("DESIRED", subjects.desired(ClusterName(cluster), app))).data


async def comes_back(fleet: Fleet, cluster: str, app: AppName, record: bytes) -> None:
    """Put a record back where it was dropped."""
    async with fleet.hub.connect("registry") as server:
        await JetStream(server).publish(subjects.desired(ClusterName(cluster), app), record)


async def dropped(fleet: Fleet, cluster: str, app: AppName) -> None:
    """Wait until a record is no longer in the stream."""

    async def probe() -> bool:
        return subjects.desired(ClusterName(cluster), app) not in await fleet.desired()

    await eventually(probe)


async def is_only_ended(fleet: Fleet, edge: Edge, app: AppName) -> None:
    """The edge is told everything anew, and of the application its end at most."""
    while not edge.arrived.empty():
        edge.arrived.get_nowait()
    # As one that has seen more than this hub ever gave out: all records are signed again.
    answer, _ = await edge.ask(epoch=4, counter=900)
    assert answer.epoch == 5

    async def told() -> bool:
        await edge.resync()
        return edge.held[MENU].epoch == 5 and edge.held[app].is_tombstone and edge.held[app].epoch == 5

    await eventually(told)
    while not edge.arrived.empty():
        name, record = edge.arrived.get_nowait()
        assert name != app or record.is_tombstone


async def test_an_application_that_was_deleted_is_not_deployed_again(fleet: Fleet) -> None:
    async with running(fleet.hub):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        await fleet.deliver(edge)
        record = await stored(fleet, "shop1", TILL)
        await fleet.report(edge, "till", b"synced")
        await fleet.ask("app.delete", name="till")
        assert (await edge.next())[1].is_tombstone
        await fleet.report(edge, "till", None)
        await fleet.gone("till")
        await fleet.deliver(edge, "menu")
        await dropped(fleet, "shop1", TILL)
        del edge.held[TILL]
    await comes_back(fleet, "shop1", TILL, record)
    async with running(fleet.hub):
        await fleet.ready()
        await is_only_ended(fleet, edge, TILL)


async def test_an_application_that_has_moved_is_not_deployed_again_where_it_was(fleet: Fleet) -> None:
    async with running(fleet.hub):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        there = await fleet.edge("shop2")
        await fleet.deliver(edge)
        record = await stored(fleet, "shop1", TILL)
        await fleet.report(edge, "till", b"synced")
        await fleet.ask("app.apply", manifest=application("till", "shop2"))
        assert (await there.next())[1].digest is not None
        assert (await edge.next())[1].is_tombstone
        await fleet.report(edge, "till", None)
        await fleet.deliver(edge, "menu")
        await dropped(fleet, "shop1", TILL)
        del edge.held[TILL]
    await comes_back(fleet, "shop1", TILL, record)
    async with running(fleet.hub):
        await fleet.ready()
        await is_only_ended(fleet, edge, TILL)
        assert there.held[TILL].digest is not None


async def test_records_of_a_cluster_that_was_removed_are_dropped(fleet: Fleet) -> None:
    async with running(fleet.hub):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        await fleet.deliver(edge)
        record = await stored(fleet, "shop1", TILL)
        await fleet.ask("cluster.remove", name="shop1", lost=True)
    await comes_back(fleet, "shop1", TILL, record)
    async with running(fleet.hub):
        await fleet.ready()
        await dropped(fleet, "shop1", TILL)
        # Nothing waits for an edge that is not there.
        await fleet.ask("app.delete", name="till")
        await fleet.gone("till")


async def test_a_bucket_that_was_lost_ends_nothing(fleet: Fleet) -> None:
    """Without the marker of a deletion a record is believed, whatever else is missing."""
    async with running(fleet.hub):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        await fleet.deliver(edge)
    async with fleet.hub.connect("registry") as registry:
        await JetStream(registry).api("STREAM.PURGE.KV_applications")
    async with running(fleet.hub):
        await fleet.ready()
        await fleet.deliver(edge, "menu")
        await edge.resync()
        assert not edge.held[TILL].is_tombstone
