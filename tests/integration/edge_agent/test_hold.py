"""A site that holds: by the ConfigMap, and by what is asked of the agent."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.applications import MemoryProgress, RequestRefused, Rollback, Settings
from edge_agent.cluster import Pace
from edge_agent.hold.config_map import Watched
from edge_agent.hold.holds import Holds
from edge_agent.hold.keeper import Keeper
from edge_agent.hold.model import Hold
from edge_agent.hold.store import HoldStore
from edge_agent.journal import Journal, Recorder
from edge_agent.link.about import About
from edge_agent.replica import Database, opened
from outrider.backoff import Backoff
from outrider_playground.waiting import eventually

from .asking import STUCK, ids, phase, was_deployed
from .site import CONFIG_MAP, Agent, Site, conditions, config_map, deployment, running, synced
from .test_sync_windows import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from outrider_playground.kubernetes import SimulatedCluster

NOW = (datetime.now(UTC) + timedelta(days=1)).replace(hour=3, minute=0, second=0, microsecond=0)
# The site's clock. An API server dates a ConfigMap by its own: a hold that is to end must do so after that.
IN_3_HOURS = (NOW + timedelta(hours=3)).isoformat()
DAY = f"{NOW:%Y-%m-%d}"
PACE = Pace(retry=Backoff(0.02, 0.2), refused=Backoff(0.05, 0.2))


@dataclass
class Holding:
    """An agent's Kubernetes side, with what keeps its holds."""

    agent: Agent
    keeper: Keeper
    about: About
    journal: Journal
    clock: Clock
    watched: Watched

    def hold(self, *apps: str, **more: Any) -> None:
        now = self.clock()
        given: dict[str, Any] = {"source": "site", "since": now, "until": now + timedelta(hours=4)}
        given |= {"reason": "stocktaking", "by": "anna", "applications": frozenset(apps)}
        self.keeper.hold(Hold(**(given | more)))

    def told(self) -> dict[str, str]:
        return {one["type"]: one["message"] for one in self.about.document()["conditions"]}

    def happened(self) -> list[tuple[str, str]]:
        return [
            (entry.kind, str(entry.detail.get("how") or entry.detail.get("reason")))
            for entry in self.journal.last(100)
        ]

    async def looked_again(self, app: str) -> dict[str, Any]:
        self.keeper.look()
        await self.agent.settle(app)
        return self.agent.applications.document(app) or {}


@contextlib.asynccontextmanager
async def holding(
    site: Site,
    settings: Settings,
    database: Database,
    store: MemoryProgress | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Holding]:
    """Run it; leaving ends it as a kill would. The ConfigMap is looked for in the test's own namespace."""
    clock = clock or Clock(NOW)
    holds, about, journal = Holds(clock, asyncio.get_running_loop().time), About(), Journal(database)
    async with running(site, settings, store, clock=clock, holds=holds) as agent:
        recorder = Recorder(journal, lambda: clock().timestamp(), lambda: None)
        keeper = Keeper(
            holds,
            HoldStore(database),
            recorder,
            about,
            agent.applications.names,
            agent.applications.held_anew,
        )
        watched = Watched(keeper, site.namespace, clock, holds.zone)
        keeper.restore()
        async with asyncio.TaskGroup() as tasks:
            loops = [
                tasks.create_task(watched.follow(agent.cluster, PACE, random.Random(3))),
                tasks.create_task(keeper.run()),
            ]
            try:
                async with asyncio.timeout(10):
                    await watched.asked.wait()
                yield Holding(agent, keeper, about, journal, clock, watched)
            finally:
                for loop in loops:
                    loop.cancel()


@pytest.fixture
def database(tmp_path: Path) -> Any:
    with opened(tmp_path / "replica.sqlite") as found:
        yield found


@pytest.fixture
async def held(site: Site, settings: Settings, database: Database) -> AsyncIterator[Holding]:
    async with holding(site, settings, database) as found:
        yield found


def is_held(document: dict[str, Any]) -> bool:
    return "Hold" in conditions(document)


def waits(document: dict[str, Any]) -> bool:
    return conditions(document).get("Hold", "").startswith("a sync waits: it is held by ")


def hold_map(**data: str) -> dict[str, Any]:
    return {**config_map("outrider-hold"), "data": data}


async def test_a_config_map_holds_what_is_new_what_drifts_and_what_is_to_be_pruned_until_it_is_deleted(
    held: Holding, site: Site, app: str
) -> None:
    held.agent.desire(app, [config_map("a"), config_map("gone")])
    await held.agent.until_synced(app)
    await site.create(hold_map(reason="stocktaking", by="anna", until=IN_3_HOURS))
    document = await held.agent.until(app, is_held)
    assert conditions(document)["Hold"] == (
        f"held by anna (ConfigMap outrider-hold) until {IN_3_HOURS} (UTC): stocktaking"
    )
    assert synced(document)
    await site.edit(CONFIG_MAP, "a", {"data": {"a": "edited"}})
    await held.agent.until(app, waits)
    held.agent.desire(app, [config_map("a", {"a": "2"})])
    await held.agent.until(app, lambda found: waits(found) and found["sync"]["revision"] == "r2")
    await held.agent.settle(app)
    live = await site.get(CONFIG_MAP, "a")
    assert live is not None
    assert live["data"] == {"a": "edited"}
    assert await site.get(CONFIG_MAP, "gone") is not None
    assert held.told()["Hold"].startswith("the whole cluster is held by anna")
    await site.delete(CONFIG_MAP, "outrider-hold")
    await held.agent.until_synced(app)
    await site.until(CONFIG_MAP, "gone", lambda live: live is None)
    assert "Hold" not in held.told()
    assert held.happened() == [("hold-began", "stocktaking"), ("hold-ended", "removed")]


async def test_a_hold_ends_by_itself_at_its_time(held: Holding, site: Site, app: str) -> None:
    end = NOW + timedelta(hours=4)
    held.hold(until=end)
    held.agent.desire(app, [config_map("a")])
    await held.agent.until(app, waits)
    held.clock.set(end - timedelta(milliseconds=300))
    held.hold(until=end, reason="still at it")
    document = await held.agent.until_synced(app)
    assert not is_held(document)
    assert document["operationState"]["startedAt"] == f"{DAY}T07:00:00Z"
    assert held.happened() == [
        ("hold-began", "stocktaking"), ("hold-began", "still at it"), ("hold-ended", "expired"),
    ]  # fmt: skip


async def test_only_the_named_applications_are_held(held: Holding, site: Site, app: str) -> None:
    other = f"{app}-other"
    held.agent.desire(app, [config_map("a")])
    await held.agent.until_synced(app)
    held.hold(app)
    held.agent.desire(other, [config_map("b")])
    await held.agent.until_synced(other)
    await held.agent.until(app, is_held)


async def test_a_removal_waits_for_the_end_of_the_hold(held: Holding, site: Site, app: str) -> None:
    held.agent.desire(app, [config_map("a")])
    await held.agent.until_synced(app)
    held.hold()
    held.agent.remove(app, cascade=True)
    document = await held.agent.until(app, lambda found: "removal waits" in conditions(found).get("Hold", ""))
    assert [one["name"] for one in document["resources"]] == ["a"]
    await held.agent.settle(app)
    assert await site.get(CONFIG_MAP, "a") is not None
    held.keeper.release([], "anna")
    await held.agent.until_removed(app)
    assert await site.get(CONFIG_MAP, "a") is None


async def test_a_sync_that_is_under_way_stands_still_and_goes_on_where_it_was(
    held: Holding, site: Site, app: str
) -> None:
    held.agent.desire(app, [STUCK, config_map("b")])
    await held.agent.until(
        app, lambda found: phase(found) == "Running" and "stuck" in found["operationState"]["message"]
    )
    held.hold(app)
    document = await held.agent.until(
        app, lambda found: found["operationState"]["message"].startswith("waits: it is held by anna")
    )
    assert phase(document) == "Running"
    began = document["operationState"]["startedAt"]
    held.keeper.release([app], "anna")
    document = await held.agent.until(app, lambda found: "stuck" in found["operationState"]["message"])
    assert document["operationState"]["startedAt"] == began


async def test_a_person_at_the_hub_is_refused_and_what_is_urgent_goes_through(
    held: Holding, site: Site, app: str
) -> None:
    held.hold()
    held.agent.desire(app, [config_map("a")])
    await held.agent.until(app, waits)
    with pytest.raises(RequestRefused, match=f"held by anna until {DAY}T07:00:00"):
        held.agent.ask(app)
    held.agent.ask(app, despite_hold=True)
    document = await held.agent.until(app, synced)
    assert conditions(document)["Hold"].startswith("held by anna")


async def test_an_application_that_is_urgent_goes_through_a_hold_and_says_so(
    held: Holding, site: Site, app: str
) -> None:
    held.hold()
    held.agent.desire(app, [config_map("a")], annotations={"outrider.dev/urgent": "true"})
    document = await held.agent.until_synced(app)
    assert conditions(document)["Hold"].startswith(
        "what is desired goes through it, being urgent (outrider.dev/urgent): held by anna"
    )
    held.agent.desire(app, [config_map("a", {"a": "2"})], annotations={"outrider.dev/urgent": "false"})
    await held.agent.until(app, waits)


async def test_a_request_that_goes_through_a_hold_does_so_after_a_restart(
    site: Site, settings: Settings, database: Database, app: str
) -> None:
    store = MemoryProgress()
    async with holding(site, settings, database, store) as held:
        held.hold()
        held.agent.desire(app, [STUCK, config_map("b")])
        await held.agent.until(app, waits)
        held.agent.ask(app, despite_hold=True)
        await held.agent.until(
            app, lambda found: "stuck" in found.get("operationState", {}).get("message", "")
        )
    async with holding(site, settings, database, store) as held:
        held.agent.desire(app, [STUCK, config_map("b")])
        await held.agent.until(
            app, lambda found: "stuck" in found.get("operationState", {}).get("message", "")
        )


async def test_what_syncs_by_itself_stays_rolled_back_for_as_long_as_it_is_held(
    held: Holding, site: Site, app: str
) -> None:
    held.agent.desire(app, [config_map("a", {"v": "1"})])
    await held.agent.until(app, lambda found: was_deployed(found, 1))
    held.agent.desire(app, [config_map("a", {"v": "2"})])
    await held.agent.until(app, lambda found: was_deployed(found, 2))
    held.hold(app)
    held.agent.applications.request(app, Rollback("1", 0, initiated_by="site:anna", despite_hold=True))
    document = await held.agent.until(app, lambda found: ids(found) == [0, 1, 2])
    await site.until(CONFIG_MAP, "a", lambda live: live and live["data"] == {"v": "1"})
    assert document["history"][-1]["initiatedBy"] == {"username": "site:anna"}
    await held.agent.until(app, waits)
    held.keeper.release([app], "anna")
    await site.until(CONFIG_MAP, "a", lambda live: live and live["data"] == {"v": "2"})


async def test_a_hold_outlives_the_agent_and_ends_while_it_is_down(
    site: Site, settings: Settings, database: Database, app: str
) -> None:
    async with holding(site, settings, database) as held:
        held.hold()
    async with holding(site, settings, database) as held:
        held.agent.desire(app, [config_map("a")])
        await held.agent.until(app, waits)
        assert held.happened() == [("hold-began", "stocktaking")]
    async with holding(site, settings, database, clock=Clock(NOW + timedelta(hours=5))) as held:
        held.agent.desire(app, [config_map("a")])
        await held.agent.until_synced(app)
        assert held.happened() == [("hold-began", "stocktaking"), ("hold-ended", "expired")]


async def test_a_config_map_is_told_once_however_often_the_agent_starts(
    site: Site, settings: Settings, database: Database, simulated: SimulatedCluster, app: str
) -> None:
    await site.create(hold_map(reason="Christmas", until=(NOW + timedelta(days=4)).isoformat()))
    for _ in range(3):
        async with holding(site, settings, database) as held:
            assert "Hold" in held.told()
            held.watched._keeper.look()
    simulated.faults.answer(503, resource="configmaps")
    async with holding(site, settings, database) as held:
        # The API is away: what the ConfigMap said last goes on.
        assert "Hold" in held.told()
        assert held.happened() == [("hold-began", "Christmas")]


async def test_a_hold_that_is_badly_written_holds_for_a_day_and_says_which_key_is_wrong(
    held: Holding, site: Site, app: str
) -> None:
    held.clock.set(datetime.now(UTC))
    await site.create(hold_map(reason="x", until="soon", applications=f"{app} nobody"))
    await eventually(lambda: "HoldError" in held.told())
    assert "ConfigMap outrider-hold: until: 'soon' is no time" in held.told()["HoldError"]
    assert "nobody" in held.told()["HoldError"]
    held.agent.desire(app, [config_map("a")])
    await held.agent.until(app, waits)
    (standing,) = held.about.document()["hold"]["standing"]
    written = datetime.fromisoformat(standing["since"])
    assert datetime.fromisoformat(standing["until"]) == written + timedelta(hours=24)
    await site.edit(CONFIG_MAP, "outrider-hold", {"data": {"until": None, "applications": app}})
    await eventually(lambda: "HoldError" not in held.told())


async def test_without_the_right_to_see_the_config_map_the_agent_goes_on_and_says_so(
    site: Site, settings: Settings, database: Database, simulated: SimulatedCluster, app: str
) -> None:
    rule = simulated.faults.forbid("list", "configmaps", namespace=site.namespace)
    async with holding(site, settings, database) as held:
        assert held.told()["HoldError"] == (
            f"ConfigMap outrider-hold in namespace {site.namespace} has no effect: the agent lacks the right to watch it"
        )
        held.agent.desire(app, [deployment("web")])
        await held.agent.until_synced(app)
        simulated.faults.remove(rule)
        await site.create(hold_map(reason="x", until=IN_3_HOURS))
        await eventually(lambda: "Hold" in held.told() and "HoldError" not in held.told())


async def test_a_clock_that_is_set_neither_ends_nor_stretches_a_hold_for_a_length(
    held: Holding, site: Site, app: str
) -> None:
    held.hold(lasts=True)
    held.agent.desire(app, [config_map("a")])
    await held.agent.until(app, waits)
    held.clock.set(NOW + timedelta(days=400))
    document = await held.looked_again(app)
    later = f"{NOW + timedelta(days=400):%Y-%m-%d}T0"
    assert f"until {later}" in conditions(document)["Hold"]
    assert f"'until': '{later}" in str(held.about.document()["hold"])
