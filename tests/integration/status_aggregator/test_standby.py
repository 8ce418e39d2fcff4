"""Two aggregators on one hub: one folds, both answer."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from tests.integration.status_aggregator.conftest import WITHIN_S, Fleet, eventually
from tests.unit.status_aggregator.edge_model import status

from outrider.backoff import Backoff
from outrider.bus.buckets import KeyValue
from outrider.bus.jetstream import JetStream
from outrider.bus.lease import Holder, Lease, LeaseLost
from outrider.topology import STATUSES
from outrider_playground.wan import WanLink
from status_aggregator.metrics import Sources
from status_aggregator.records import WRITER


async def test_of_two_aggregators_one_folds_and_the_other_takes_over_when_it_stops(fleet: Fleet) -> None:
    await fleet.apply("till", "shop1")
    edge = await fleet.edge("shop1")
    async with AsyncExitStack() as until_it_stops:
        first = await until_it_stops.enter_async_context(fleet.aggregator(instance="first"))
        await fleet.until_folded_by("first")
        async with fleet.aggregator(instance="second") as second:
            edge.model.put("till", status("Degraded"))
            await edge.flush()
            await fleet.until("app", lambda app: app["health"] == "Degraded", name="till")
            assert first.folding is not None
            assert second.folding is None
            await until_it_stops.aclose()
            edge.model.put("till", status("Progressing"))
            await edge.flush()
            await fleet.until("app", lambda app: app["health"] == "Progressing", name="till")
            assert second.folding is not None


async def test_an_aggregator_that_falls_silent_is_replaced_and_stands_by_when_it_wakes(fleet: Fleet) -> None:
    await fleet.apply("till", "shop1")
    edge = await fleet.edge("shop1")
    async with fleet.process(OUTRIDER_INSTANCE="first", OUTRIDER_LEASE="1") as first:
        await fleet.until_folded_by("first")
        async with fleet.aggregator(instance="second", lease_s=1.0) as second:
            os.kill(first.pid, signal.SIGSTOP)
            await fleet.until_folded_by("second")
            os.kill(first.pid, signal.SIGCONT)
            for revision in ("b" * 40, "c" * 40, "d" * 40):
                edge.model.put("till", status(revision=revision))
                await edge.flush()
                await fleet.until("app", at(revision), name="till")
            assert second.folding is not None
            assert first.returncode is None


async def test_the_successor_of_one_that_was_killed_folds_at_once(fleet: Fleet) -> None:
    await fleet.apply("till", "shop1")
    edge = await fleet.edge("shop1")
    async with fleet.process(OUTRIDER_LEASE="600") as killed:
        await fleet.until_folded_by("one")
        killed.kill()
        await killed.wait()
    async with fleet.aggregator(lease_s=600.0):
        edge.model.put("till", status("Degraded"))
        await edge.flush()
        await fleet.until("app", lambda app: app["health"] == "Degraded", name="till")


async def test_who_has_lost_the_lease_learns_it_with_the_next_renewal(fleet: Fleet) -> None:
    async with fleet.hub.connect("aggregator") as connection:
        js = JetStream(connection)

        async def hold_until_it_is_lost() -> None:
            async with (
                asyncio.timeout(WITHIN_S),
                Lease(js, STATUSES, WRITER, Holder("first", "1"), ttl_s=0.3).held(),
            ):
                await KeyValue(js, STATUSES).put(WRITER, Holder("second", "2").pack())
                await asyncio.Event().wait()

        with pytest.raises(LeaseLost):
            await hold_until_it_is_lost()
        assert Holder.unpack((await KeyValue(js, STATUSES).get(WRITER)).value).name == "second"


async def test_an_own_renewal_whose_answer_was_lost_is_no_other_holders(fleet: Fleet) -> None:
    async with fleet.hub.connect("aggregator") as connection:
        js = JetStream(connection)
        bucket = KeyValue(js, STATUSES)

        async with Lease(js, STATUSES, WRITER, Holder("first", "1"), ttl_s=2.0).held():
            written = await bucket.put(WRITER, Holder("first", "1").pack())

            async def is_renewed() -> bool | None:
                return True if (await bucket.get(WRITER)).revision > written else None

            await eventually(is_renewed)


async def test_an_aggregator_that_was_without_the_bus_for_longer_than_its_lease_folds_again(
    fleet: Fleet,
) -> None:
    await fleet.apply("till", "shop1")
    edge = await fleet.edge("shop1")
    own = fleet.hub.settings("aggregator")
    async with WanLink("127.0.0.1", fleet.hub.server.port) as link:
        bus = replace(
            own, servers=(f"tls://localhost:{link.port}",), backoff=Backoff(first_s=0.05, cap_s=0.1)
        )
        async with fleet.aggregator(bus, lease_s=0.5) as sources:
            await fleet.until_folded_by("one")
            edge.model.put("till", status(revision="b" * 40))
            await edge.flush()
            await fleet.until("app", at("b" * 40), name="till")
            await link.cut()

            async def has_given_up() -> bool | None:
                return True if sources.folding is None else None

            await eventually(has_given_up)
            edge.model.put("till", status(revision="c" * 40))
            await edge.flush()
            await link.restore()
            await fleet.until("app", at("c" * 40), name="till")


async def test_an_aggregator_that_has_lost_its_lease_shows_what_the_next_one_writes(fleet: Fleet) -> None:
    await fleet.apply("till", "shop1")
    edge = await fleet.edge("shop1")
    async with fleet.aggregator(instance="first") as first:
        await fleet.until_folded_by("first")
        edge.model.put("till", status(revision="b" * 40))
        await edge.flush()
        await shown_by(first, "b" * 40)
        async with fleet.hub.connect("aggregator") as connection:
            await KeyValue(JetStream(connection), STATUSES).put(WRITER, Holder("second", "2").pack())
        async with fleet.aggregator(instance="second") as second:
            await fleet.until_folded_by("second")
            edge.model.put("till", status(revision="c" * 40))
            await edge.flush()
            for aggregator in (first, second):
                await shown_by(aggregator, "c" * 40)


async def shown_by(aggregator: Sources, revision: str) -> None:
    async def is_shown() -> bool | None:
        view = aggregator.view
        return True if view.application("till") and view.row("till").revision == revision else None

    await eventually(is_shown)


def at(revision: str) -> Callable[[Any], bool]:
    return lambda app: bool(app["revision"] == revision)
