"""An agent that waits for its sync windows."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.applications import ClusterSettings, MemoryProgress, RequestRefused, Settings

from .asking import STUCK, phase, waits_for_health
from .site import CONFIG_MAP, Agent, Site, conditions, config_map, failed, finished, running, synced

if TYPE_CHECKING:
    from outrider_playground.kubernetes import SimulatedCluster

TEN_PAST_ONE = datetime(2026, 8, 22, 1, 10, tzinfo=UTC)
JUST_BEFORE_TWO = datetime(2026, 8, 22, 1, 59, 59, 600000, tzinfo=UTC)
AT_TWO = {"kind": "allow", "schedule": "0 2 * * *", "duration": "1h"}
FROM_ONE = {"kind": "deny", "schedule": "0 1 * * *", "duration": "1h"}
FROM_TWO = {"kind": "deny", "schedule": "0 2 * * *", "duration": "1h"}
HEALING = {"automated": {"prune": True, "selfHeal": True}}


class Clock:
    """The site's clock: it goes with the event loop's, and can be set."""

    def __init__(self, now: datetime) -> None:
        self.set(now)

    def set(self, now: datetime) -> None:
        self._base = now - timedelta(seconds=asyncio.get_running_loop().time())

    def __call__(self) -> datetime:
        return self._base + timedelta(seconds=asyncio.get_running_loop().time())


def project(*windows: dict[str, Any]) -> dict[str, Any]:
    return {"windows": list(windows)}


def waits(document: dict[str, Any]) -> bool:
    return "SyncWindow" in conditions(document)


async def looked_again(agent: Agent, app: str) -> dict[str, Any]:
    """Have a pass made, as any event would, after the clock was set."""
    agent.refresh(app)
    await agent.settle(app)
    return agent.applications.document(app) or {}


async def test_a_sync_waits_for_its_window_says_until_when_and_begins_exactly_then(
    site: Site, settings: Settings, app: str
) -> None:
    clock = Clock(TEN_PAST_ONE)
    async with running(site, settings, clock=clock) as agent:
        agent.desire(app, [config_map("a")], project=project(AT_TWO))
        document = await agent.until(app, waits)
        assert conditions(document)["SyncWindow"] == (
            "a sync waits: it is outside the allow window '0 2 * * *' for 1h, until 2026-08-22T02:00:00+00:00 (UTC)"
        )
        assert document["sync"]["status"] == "OutOfSync"
        assert "operationState" not in document
        clock.set(JUST_BEFORE_TWO)
        await looked_again(agent, app)
        document = await agent.until_synced(app)
        assert document["operationState"]["startedAt"].startswith("2026-08-22T02:00:0")
        assert document["conditions"] == []


async def test_nothing_is_asked_of_the_cluster_while_a_sync_waits(
    site: Site, settings: Settings, app: str
) -> None:
    async with running(site, settings, clock=Clock(TEN_PAST_ONE)) as agent:
        agent.desire(app, [config_map("a")], project=project(AT_TWO))
        await agent.until(app, waits)
        await agent.until_looked_around()
        await agent.settle(app)
        (timer_s,) = agent.timers()
        assert 49 * 60 < timer_s <= 50 * 60


async def test_a_window_without_a_zone_is_read_in_the_sites(site: Site, settings: Settings, app: str) -> None:
    half_past_midnight = datetime(2026, 8, 22, 0, 30, tzinfo=UTC)
    async with running(site, settings, clock=Clock(half_past_midnight)) as agent:
        agent.desire(app, [config_map("a")], project=project(AT_TWO))
        await agent.until(app, waits)
        agent.applications.configure(ClusterSettings(time_zone="Europe/Berlin"))
        await agent.until_synced(app)


async def test_healing_waits_for_the_window_too(site: Site, settings: Settings, app: str) -> None:
    clock = Clock(TEN_PAST_ONE)
    async with running(site, settings, clock=clock) as agent:
        agent.desire(app, [config_map("a")], project=project(FROM_TWO))
        await agent.until_synced(app)
        await agent.settle(app)
        clock.set(TEN_PAST_ONE + timedelta(hours=1))
        await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
        document = await agent.until(app, waits)
        assert document["sync"]["status"] == "OutOfSync"
        live = await site.get(CONFIG_MAP, "a")
        assert live
        assert live["data"] == {"a": "edited"}
        clock.set(TEN_PAST_ONE + timedelta(hours=2))
        await looked_again(agent, app)
        await site.until(CONFIG_MAP, "a", lambda live: live and live["data"] == {"a": "1"})


async def test_retries_wait_for_the_window(
    site: Site, settings: Settings, app: str, simulated: SimulatedCluster
) -> None:
    clock = Clock(TEN_PAST_ONE)
    rule = simulated.faults.forbid("patch", "configmaps")
    retry = {"backoff": {"duration": "1ms", "maxDuration": "1ms"}}
    async with running(site, settings, clock=clock) as agent:
        agent.desire(
            app, [config_map("a")], project=project(FROM_TWO), sync={"automated": {}, "retry": retry}
        )
        await agent.until(app, failed)
        clock.set(TEN_PAST_ONE + timedelta(hours=1))
        await agent.until(app, waits)
        simulated.faults.remove(rule)
        document = await looked_again(agent, app)
        assert failed(document)
        clock.set(TEN_PAST_ONE + timedelta(hours=2))
        await looked_again(agent, app)
        await agent.until_synced(app)


async def test_a_persons_sync_is_refused_outside_a_window_unless_it_lets_people_through(
    site: Site, settings: Settings, app: str
) -> None:
    async with running(site, settings, clock=Clock(TEN_PAST_ONE)) as agent:
        agent.desire(app, [config_map("a")], project=project(FROM_ONE))
        await agent.until(app, waits)
        await agent.settle(app)
        with pytest.raises(RequestRefused, match=r"inside the deny window .* until 2026-08-22T02:00:00"):
            agent.ask(app)
        agent.desire(app, [config_map("a")], project=project({**FROM_ONE, "manualSync": True}))
        agent.ask(app, initiated_by="jo")
        document = await agent.until_synced(app)
        assert document["operationState"]["operation"]["initiatedBy"] == {"username": "jo"}


async def test_a_sync_that_loses_its_window_stands_still_and_goes_on_in_the_next(
    site: Site, settings: Settings, app: str
) -> None:
    clock = Clock(TEN_PAST_ONE)
    async with running(site, settings, clock=clock) as agent:
        agent.desire(app, [STUCK, config_map("a")], project=project(FROM_TWO))
        document = await agent.until(app, waits_for_health)
        started_at = document["operationState"]["startedAt"]
        clock.set(TEN_PAST_ONE + timedelta(hours=1))
        await looked_again(agent, app)
        document = await agent.until(app, waits)
        assert phase(document) == "Running"
        assert document["operationState"]["message"].startswith(
            "waits for a sync window: inside the deny window"
        )
        clock.set(TEN_PAST_ONE + timedelta(hours=2))
        document = await looked_again(agent, app)
        assert waits_for_health(document)
        assert document["operationState"]["startedAt"] == started_at


async def test_a_sync_notices_by_itself_that_its_window_closes(
    site: Site, settings: Settings, app: str
) -> None:
    clock = Clock(TEN_PAST_ONE)
    async with running(site, settings, clock=clock) as agent:
        agent.desire(app, [STUCK, config_map("a")], project=project(FROM_TWO))
        await agent.until(app, waits_for_health)
        clock.set(JUST_BEFORE_TWO)
        await looked_again(agent, app)
        await agent.until(app, waits)


async def test_a_sync_overruns_its_window_where_that_is_allowed(
    site: Site, settings: Settings, app: str
) -> None:
    clock = Clock(TEN_PAST_ONE)
    overrun = {**FROM_TWO, "syncOverrun": True}
    async with running(site, settings, clock=clock) as agent:
        agent.desire(app, [STUCK, config_map("a")], project=project(overrun))
        await agent.until(app, waits_for_health)
        clock.set(TEN_PAST_ONE + timedelta(hours=1))
        document = await looked_again(agent, app)
        assert waits_for_health(document)
        assert not waits(document)
        # What is new is not what was running.
        agent.desire(app, [config_map("a")], project=project(overrun))
        document = await agent.until(app, waits)
        assert document["operationState"]["message"] == "superseded by revision r2"


async def test_an_agent_that_starts_offline_outside_its_window_waits_as_well(
    site: Site, settings: Settings, app: str
) -> None:
    store = MemoryProgress()
    async with running(site, settings, store, clock=Clock(TEN_PAST_ONE)) as agent:
        agent.desire(app, [STUCK, config_map("a")], project=project(FROM_TWO))
        await agent.until(app, waits_for_health)
    async with running(site, settings, store, clock=Clock(TEN_PAST_ONE + timedelta(hours=1))) as agent:
        agent.desire(app, [STUCK, config_map("a")], project=project(FROM_TWO))
        document = await agent.until(app, waits)
        await agent.settle(app)
        assert phase(document) == "Running"
        assert await site.get(CONFIG_MAP, "a") is None


async def test_a_window_that_cannot_be_read_opens_nothing_and_is_named(
    site: Site, settings: Settings, app: str
) -> None:
    broken = {"kind": "allow", "schedule": "at two", "duration": "1h"}
    async with running(site, settings, clock=Clock(TEN_PAST_ONE)) as agent:
        agent.desire(app, [config_map("a")], project=project(broken))
        document = await agent.until(app, waits)
        assert "must have five fields" in conditions(document)["SyncWindow"]
        assert await site.get(CONFIG_MAP, "a") is None
        agent.desire(app, [config_map("a")], project=project(broken, {**AT_TWO, "schedule": "0 1 * * *"}))
        document = await agent.until_synced(app)
        assert "must have five fields" in conditions(document)["SyncWindow"]


async def test_a_dry_run_needs_no_window(site: Site, settings: Settings, app: str) -> None:
    async with running(site, settings, clock=Clock(TEN_PAST_ONE)) as agent:
        agent.desire(app, [config_map("a")], project=project(FROM_ONE))
        await agent.until(app, waits)
        await agent.settle(app)
        agent.ask(app, dry_run=True)
        document = await agent.until(app, finished)
        assert document["operationState"]["phase"] == "Succeeded"
        assert not synced(document)


async def test_a_time_out_does_not_run_while_a_window_is_in_the_way(
    site: Site, settings: Settings, app: str
) -> None:
    clock = Clock(TEN_PAST_ONE)
    async with running(site, settings, clock=clock) as agent:
        annotations = {"outrider.dev/sync-timeout": "1h"}
        agent.desire(app, [STUCK, config_map("a")], project=project(FROM_TWO), annotations=annotations)
        await agent.until(app, waits_for_health)
        await agent.settle(app)
        assert max(agent.timers()) <= 50 * 60
        clock.set(TEN_PAST_ONE + timedelta(hours=1))
        await looked_again(agent, app)
        held = agent.applications._workers[app].state.running
        assert held
        assert held.deadline_s is None
        assert held.left_s
        assert 3590 < held.left_s <= 3600
