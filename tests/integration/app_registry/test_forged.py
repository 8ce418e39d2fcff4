"""Records in the stream that this hub has not signed."""

from outrider import subjects
from outrider.bus.jetstream import JetStream
from outrider.identity import signatures
from outrider.messages import Desired
from outrider.names import AppName, ClusterName
from outrider.subjects import SETTINGS

from .conftest import NOTHING, Fleet, application, bundle, eventually, running, told

TILL = AppName("till")
SHOP1 = ClusterName("shop1")


async def forge(fleet: Fleet, app: AppName = TILL, *, digest: bytes | None = b"f" * 32) -> None:
    """Write a record that looks right and is signed by another key."""
    record = Desired(b"u" * 16, 1, 7, {"mine": True}, "v9", digest)
    sealed = signatures.seal(signatures.generate_seed(), SHOP1, app, record.pack())
    async with fleet.hub.connect("registry") as writer:
        await JetStream(writer).publish(subjects.desired(SHOP1, app), sealed)


async def test_a_forged_record_is_written_over_with_the_true_one(served: Fleet) -> None:
    edge = await served.edge("shop1")
    rendering = await served.deliver(edge)
    await forge(served)
    _, record = await edge.next()
    assert (record.digest, record.counter) == (rendering.digest, 2)


async def test_a_forged_record_is_told_to_no_edge_and_written_over_after_a_restart_too(fleet: Fleet) -> None:
    async with running(fleet.hub):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        rendering = await fleet.deliver(edge)
    await forge(fleet)
    edge.held, edge.seen = {}, NOTHING
    async with running(fleet.hub):
        await fleet.ready()
        _, record = await edge.next()
        assert record.digest == rendering.digest
        assert await edge.resync() in ([], [TILL])


async def test_a_forged_record_does_not_hide_that_an_application_is_to_go(fleet: Fleet) -> None:
    async with running(fleet.hub):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        await fleet.deliver(edge)
        await fleet.report(edge, "till", b"\x80")
        await fleet.ask("app.delete", name="till")
        assert (await edge.next())[1].is_tombstone
    await forge(fleet)
    async with running(fleet.hub):
        await fleet.ready()
        # Which number the forged one hid, only the edge knows.
        record = await told(edge, TILL, lambda record: record.epoch == 2)
        assert record.is_tombstone
        assert record.cascade


async def test_a_forged_record_of_nobodys_application_is_dropped(served: Fleet) -> None:
    await served.add_cluster("shop1")
    await forge(served, AppName("trojan"))

    async def dropped() -> bool:
        return await served.desired() == {}

    await eventually(dropped)


async def test_a_forged_record_does_not_let_an_empty_rendering_take_everything_away(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    await served.render(await served.wanted(), bundle(), "e" * 40)
    await served.condition("till", "renders to nothing")
    await forge(served)
    await served.ask("app.apply", manifest=application("menu"))
    await served.condition("menu", "")
    assert edge.held[TILL].counter == 1


async def test_forged_settings_are_written_over_too(served: Fleet) -> None:
    edge = await served.edge("shop1", time_zone="Europe/Berlin")
    await told(edge, SETTINGS)
    await forge(served, SETTINGS, digest=b"")
    record = await told(edge, SETTINGS, lambda record: record.counter == 2)
    assert record.spec == {"timeZone": "Europe/Berlin"}
