"""Several registries: one works."""

import asyncio
from typing import Any

import pytest

from outrider.bus import NoResponders, RequestTimedOut
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.lease import Holder, Lease, LeaseLost
from outrider.names import AppName
from outrider.tasks import background
from outrider.topology import REGISTRY

from .conftest import Fleet, eventually, running

TTL_S = 1.0


def lease(js: JetStream, name: str, instance: str, ttl_s: float = TTL_S) -> Lease:
    return Lease(js, REGISTRY, "lease", Holder(name, instance), ttl_s=ttl_s)


async def test_a_lease_that_another_version_wrote_is_waited_for_like_any_other(hub: Any) -> None:
    async with hub.connect("registry") as connection:
        js = JetStream(connection)
        await KeyValue(js, REGISTRY).put("lease", b"\x92\xa3one\xa1x")
        begun_s = asyncio.get_running_loop().time()
        async with asyncio.timeout(20), lease(js, "one", "y").held():
            assert asyncio.get_running_loop().time() - begun_s >= TTL_S


async def test_who_gives_the_lease_back_does_not_take_it_from_its_successor(hub: Any) -> None:
    async with hub.connect("registry") as connection:
        js = JetStream(connection)
        bucket = KeyValue(js, REGISTRY)
        async with asyncio.timeout(20), lease(js, "one", "x", 600).held():
            await bucket.put("lease", Holder("two", "y").pack())
        assert Holder.unpack((await bucket.get("lease")).value) == Holder("two", "y")


async def test_a_second_registry_waits_and_takes_over_when_the_first_one_stops(fleet: Fleet) -> None:
    async with running(fleet.hub, "one"):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        await fleet.deliver(edge)
        second = asyncio.ensure_future(_run(fleet.hub, "two"))
        await fleet.deliver(edge, "menu")
        assert len(await _instances(fleet)) == 1
    await fleet.ready()
    await fleet.deliver(edge, "bar")
    assert edge.held[AppName("bar")].counter == 3
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second


async def _run(hub: Any, replica: str) -> None:
    async with running(hub, replica):
        await asyncio.get_running_loop().create_future()


async def _instances(fleet: Fleet) -> list[bytes]:
    """Return the answers to a discovery of the service."""
    found = []
    async with fleet.person.answers("$SRV.PING.app-registry", b"") as answers:
        found.append((await answers.next(5)).data)
        await fleet.ask("repo.key")
        found += [answer.data for answer in answers.ready()]
    return found


async def test_a_lease_that_is_not_renewed_is_taken_after_its_time(hub: Any) -> None:
    async with hub.connect("registry") as connection:
        js = JetStream(connection)
        await KeyValue(js, REGISTRY).put("lease", Holder("frozen", "x").pack())
        begun_s = asyncio.get_running_loop().time()
        async with asyncio.timeout(20), lease(js, "two", "y", TTL_S).held():
            assert asyncio.get_running_loop().time() - begun_s >= TTL_S


async def test_a_lease_that_is_renewed_is_not_taken(hub: Any) -> None:
    async with hub.connect("registry") as connection:
        js = JetStream(connection)
        taken = asyncio.Event()

        async def wait_for_it() -> None:
            async with lease(js, "two", "y", TTL_S).held():
                taken.set()

        held = lease(js, "one", "x", TTL_S).held()
        async with held, background(wait_for_it(), name="wait"):
            bucket, renewals = KeyValue(js, REGISTRY), 0
            async with asyncio.timeout(30):
                watching = bucket.watch("lease")
                async for changes in watching:
                    renewals += len(changes.changes)
                    if renewals > 8:
                        break
                await watching.aclose()  # type: ignore[attr-defined]
            assert not taken.is_set()


async def test_who_was_killed_and_starts_again_under_its_name_need_not_wait(hub: Any) -> None:
    async with hub.connect("registry") as connection:
        js = JetStream(connection)
        await KeyValue(js, REGISTRY).put("lease", Holder("one", "killed").pack())
        async with asyncio.timeout(5), lease(js, "one", "again", 600).held():
            pass


async def test_who_has_lost_the_lease_stops(hub: Any) -> None:
    async with hub.connect("registry") as connection:
        js = JetStream(connection)

        async def work_and_be_robbed() -> None:
            async with asyncio.timeout(10), lease(js, "one", "x", TTL_S).held():
                await KeyValue(js, REGISTRY).put("lease", Holder("two", "y").pack())
                await asyncio.get_running_loop().create_future()

        with pytest.raises(LeaseLost):
            await work_and_be_robbed()


async def test_a_registry_that_loses_its_lease_answers_nobody_until_it_has_it_again(fleet: Fleet) -> None:
    async with running(fleet.hub):
        await fleet.ready()
        edge = await fleet.edge("shop1")
        await fleet.deliver(edge)
        async with fleet.hub.connect("registry") as thief:
            bucket = KeyValue(JetStream(thief), REGISTRY)
            await bucket.put("lease", Holder("thief", "x").pack())

            async def silent() -> bool:
                try:
                    await fleet.person.request("$SRV.PING.app-registry", timeout_s=0.5)
                except NoResponders:
                    return True
                except RequestTimedOut:
                    # It was met on its way out.
                    return False
                return False

            await eventually(silent)
            with pytest.raises((NoResponders, RequestTimedOut)):
                await edge.ask()
            await bucket.delete("lease")
        await fleet.ready()
        await fleet.deliver(edge, "menu")
        assert edge.held[AppName("menu")].counter == 2
