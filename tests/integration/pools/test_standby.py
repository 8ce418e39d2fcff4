"""Several renderers of one pool, several gateways of one hub, and sources that move between pools."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.integration.pools.conftest import CONFIG, Pool, Site
from tests.integration.pools.test_stolen_identity import waiting
from tests.integration.rendering.repositories import Repository

from outrider.bus.entries import current
from outrider.bus.jetstream import JetStream
from outrider.bus.services import RequestRefused
from outrider.pool_messages import TurnAnswer, TurnRequest
from outrider.topology import POOL_PRESENCE, POOLS, SOURCES
from outrider_playground.waiting import eventually

LOCAL: dict[str, Any] = {"local_repositories": True}


@asynccontextmanager
async def stoppable(running: Any) -> AsyncIterator[Any]:
    """Enter a context in a task of its own, to be left before the block ends; yields what stops it."""
    entered, stop = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        async with running:
            entered.set()
            await stop.wait()

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(run())
        await entered.wait()

        async def stopped() -> None:
            stop.set()
            await asyncio.wait({task})

        yield stopped
        stop.set()


async def names(site: Site, pool: Pool, *expected: str) -> None:
    await site.presence(pool, lambda record: [one[0] for one in record.renderers] == list(expected))


async def test_one_of_two_renderers_works_and_the_other_one_takes_over_when_it_is_stopped(
    site: Site, repository: Repository
) -> None:
    berlin = await site.add_pool("berlin")
    async with stoppable(site.rendering(berlin, "one", **LOCAL)) as stop_one:
        await names(site, berlin, "one")
        async with stoppable(site.rendering(berlin, "two", **LOCAL)):
            await names(site, berlin, "one", "two")
            shop = await site.want(repository.url, "shop", berlin)
            first = await site.rendered(shop)
            writes = len([record for record in site.records.values() if record.digest])
            assert writes == 1
            await stop_one()
            await names(site, berlin, "two")
            second = repository.commit({"shop/a.yaml": CONFIG % ("a", "2")})
            answer = await site.ask(berlin, "refresh", url=repository.url)
            assert answer["revisions"][repository.url] == {"main": second}
            moved = await site.until(shop, lambda record: record.revision == second)
            assert moved.digest != first.digest


async def test_a_process_that_was_killed_and_started_again_works_at_once(
    site: Site, repository: Repository
) -> None:
    berlin = await site.add_pool("berlin")
    shop = await site.want(repository.url, "shop", berlin)
    async with site.asking(berlin) as killed:
        # It worked, and said nothing when it ended.
        turn = await killed.ask("turn", TurnRequest(killed.run, "one"), TurnAnswer)
        assert turn.works
    async with site.rendering(berlin, "one", **LOCAL):
        await site.rendered(shop)


async def test_another_gateway_takes_over_and_what_is_rendered_goes_on(
    hub_site: Site, repository: Repository
) -> None:
    site = hub_site
    berlin = await site.add_pool("berlin")
    async with (
        stoppable(site.gateway("first")) as stop_first,
        site.gateway("second"),
        site.rendering(berlin, **LOCAL),
    ):
        shop = await site.want(repository.url, "shop", berlin)
        await site.rendered(shop)
        await stop_first()
        second = repository.commit({"shop/a.yaml": CONFIG % ("a", "2")})

        async def refreshed() -> bool:
            try:
                answer = await site.ask(berlin, "refresh", url=repository.url)
            except Exception:  # noqa: BLE001 - between two gateways anything may be the answer
                return False
            return bool(answer["revisions"][repository.url] == {"main": second})

        await eventually(refreshed, 30)
        await site.until(shop, lambda record: record.revision == second)
        # Nobody was told that the pool was away.
        record = await site.presence(berlin, lambda record: True)
        assert record.online


async def test_a_source_that_moves_to_another_pool_is_rendered_there_and_no_longer_here(
    site: Site, repository: Repository
) -> None:
    berlin, rome = await site.add_pool("berlin"), await site.add_pool("rome")
    async with site.rendering(berlin, **LOCAL), site.rendering(rome, **LOCAL):
        shop = await site.want(repository.url, "shop", berlin)
        till = await site.want(repository.url, "till", berlin)
        for key in (shop, till):
            await site.rendered(key)
        await site.want(repository.url, "shop", rome)

        async def at_rome() -> bool:
            try:
                await site.ask(rome, "refresh", url=repository.url)
            except RequestRefused:
                return False
            return True

        await eventually(at_rome)
        second = repository.commit({"shop/a.yaml": CONFIG % ("a", "2"), "till/b.yaml": CONFIG % ("b", "2")})
        await site.ask(rome, "refresh", url=repository.url)
        moved = await site.until(shop, lambda record: record.revision == second)
        # It went on from the record that the first pool had written.
        assert moved.base is not None
        assert site.records[till].revision != second
        await site.ask(berlin, "refresh", url=repository.url)
        await site.until(till, lambda record: record.revision == second)


async def test_a_source_that_nobody_wants_any_more_is_no_longer_looked_at(
    site: Site, repository: Repository
) -> None:
    berlin = await site.add_pool("berlin")
    async with site.rendering(berlin, **LOCAL):
        shop = await site.want(repository.url, "shop", berlin)
        await site.rendered(shop)
        await site.bucket(SOURCES).delete(shop)

        async def forgotten() -> bool:
            try:
                await site.ask(berlin, "refresh", url=repository.url)
            except RequestRefused as error:
                return "no application uses" in str(error)
            return False

        await eventually(forgotten)


async def test_many_sources_are_told_in_parts_and_one_more_costs_one_more(
    site: Site, repository: Repository
) -> None:
    berlin = await site.add_pool("berlin")
    async with asyncio.TaskGroup() as tasks:
        for number in range(300):
            context = {"app_name": f"shop-{number}", "namespace": "x", "project": "p" * 1500}
            tasks.create_task(site.want(repository.url, "nowhere", berlin, context))
    async with site.rendering(berlin, **LOCAL) as connection:
        await eventually(lambda: len([one for one in site.records.values() if one.error]) == 300, 60)
        received = int(connection.client.stats["in_bytes"])
        await site.rendered(await site.want(repository.url, "shop", berlin))
        assert int(connection.client.stats["in_bytes"]) - received < 5_000


async def test_what_is_asked_of_a_renderer_that_was_killed_is_refused_soon(site: Site) -> None:
    berlin = await site.add_pool("berlin")
    async with site.asking(berlin) as killed:
        await killed.ask("turn", TurnRequest(killed.run, "one"), TurnAnswer)
        async with asyncio.TaskGroup() as tasks:
            taking = tasks.create_task(waiting(killed, "one", works=True))
            asking = tasks.create_task(refused(site, berlin))
            # It takes the request, and is heard of no more.
            assert (await taking).asked
        assert "does not answer at the moment" in asking.result()


async def refused(site: Site, pool: Pool) -> str:
    try:
        await site.ask(pool, "refresh")
    except RequestRefused as error:
        return str(error)
    return ""


async def test_a_pool_that_is_removed_and_added_again_was_never_connected(
    site: Site, repository: Repository
) -> None:
    berlin = await site.add_pool("berlin")
    async with site.rendering(berlin, **LOCAL):
        await names(site, berlin, "one")
        await site.bucket(POOLS).delete(berlin.name)

        async def is_forgotten() -> bool:
            return (await current(JetStream(site.registry), POOL_PRESENCE, berlin.name)).value is None

        await eventually(is_forgotten)
    again = await site.add_pool("berlin")
    async with site.asking(again):
        assert await is_forgotten()


async def test_what_a_renderer_that_was_killed_has_taken_is_done_by_its_successor(
    site: Site, repository: Repository
) -> None:
    berlin = await site.add_pool("berlin")
    await site.want(repository.url, "shop", berlin)
    async with site.asking(berlin) as killed:
        await killed.ask("turn", TurnRequest(killed.run, "one"), TurnAnswer)
        async with asyncio.TaskGroup() as tasks:
            taking = tasks.create_task(waiting(killed, "one", works=True))
            asking = tasks.create_task(site.ask(berlin, "refresh", url=repository.url))
            assert (await taking).asked
            async with site.rendering(berlin, "one", **LOCAL):
                answer = await asking
    assert set(answer["revisions"]) == {repository.url}
