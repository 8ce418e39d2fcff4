"""One agent, wired: the link fills the replica, the applications work from the replica, their status goes up the link.

An agent that starts offline begins with what its replica holds. Its folder is its alone for as long as it runs.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from edge_agent.applications import Applications
from edge_agent.cluster import Access, Cluster, Pace
from edge_agent.commands.serve import Commands
from edge_agent.edge import Edge, Replica
from edge_agent.hold.config_map import Watched
from edge_agent.hold.holds import Holds
from edge_agent.hold.keeper import Keeper
from edge_agent.hold.store import HoldStore
from edge_agent.local.place import locked
from edge_agent.local.serve import serve
from edge_agent.local.verbs import Verbs
from edge_agent.local.waiting import Watchers
from edge_agent.rendering.process import Renderer
from edge_agent.rendering.rendering import Rendering
from edge_agent.rendering.requests import Requests
from edge_agent.rendering.secrets import RepositorySecrets
from edge_agent.rendering.steps import Steps
from edge_agent.rendering.telling import Telling
from edge_agent.replica import Writes, opened
from edge_agent.settings import Settings
from edge_agent.sync.window_times import zone_or_utc
from outrider.bus import connected
from outrider.identity import credentials

log = structlog.get_logger()

HOLD_KNOWN_WITHIN_S = 5.0
# Nothing is synced before it is known whether the site holds; a Kubernetes API that gives no answer lets nothing be synced either.


async def run(
    settings: Settings, *, clock: Callable[[], float] = time.time, rng: random.Random | None = None
) -> None:
    """Run the agent. Ends only by cancellation or by the first loop that fails. FolderInUse where another one runs."""
    rng = rng or random.SystemRandom()
    identity = credentials.load(settings.credentials)
    bus = settings.pinging(credentials.bus_settings(settings.credentials, settings.servers))
    with locked(settings.state), opened(settings.replica, Writes(settings.replica_bytes_per_day)) as database:
        replica = Replica.over(database, round(clock() * 1000))
        access = Access(settings.kubeconfig, settings.context)
        async with Cluster(access) as cluster, connected(bus, rng=rng, wait=False) as connection:
            edge = Edge(settings, identity, replica, connection, clock, rng)
            async with Renderer(settings.rendering, settings.clones, rng) as renderer:
                await work(edge, cluster, renderer, settings, rng)


async def work(
    edge: Edge, cluster: Cluster, renderer: Renderer, settings: Settings, rng: random.Random
) -> None:
    """Run the applications of an edge on its cluster, render those that are rendered here, and keep its link."""
    watchers = Watchers()
    holds = Holds(edge.now, time.monotonic, lambda: zone_or_utc(applications.time_zone))
    applications = Applications(
        cluster,
        store=edge.replica.progress,
        on_status=edge.on_status,
        on_removed=edge.on_removed,
        obtain=edge.inbound.obtain,
        manifests_of=edge.manifests_of,
        holds=holds,
        on_passed=watchers.passed,
        settings=settings.applications,
        clock=edge.now,
        chance=rng,
    )
    watchers.applications = applications
    store = HoldStore(edge.replica.database)
    keeper = Keeper(holds, store, edge.recorder, edge.about, applications.names, applications.held_anew)
    config_map = Watched(keeper, settings.namespace, edge.now, holds.zone)
    steps = Steps(renderer, RepositorySecrets(cluster, settings.namespace))
    renderings = edge.replica.renderings
    rendering = Rendering(
        steps,
        renderings,
        Telling(edge.about),
        edge.recorder.rendered,
        edge.rendered,
        settings.rendering.poll_interval_s,
        rng,
    )
    asked = Requests(rendering, steps, renderings)
    commands = Commands(
        edge.connection,
        edge.name,
        applications,
        edge.outbound.resend,
        edge.allowance,
        rendering=asked,
    )
    await commands.start()
    edge.start(applications, rendering)
    keeper.restore()
    log.info("agent started", cluster=edge.name, applications=len(applications.names()))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(config_map.follow(cluster, Pace(), rng), name="hold")
        tasks.create_task(keeper.run(), name="ends of holds")
        tasks.create_task(_begin(applications, config_map), name="applications")
        tasks.create_task(commands.run(), name="commands")
        tasks.create_task(rendering.run(), name="rendering")
        tasks.create_task(asked.run(), name="renderings on request")
        verbs = Verbs(edge, applications, holds, keeper, watchers, settings, asked)
        tasks.create_task(serve(verbs, settings, edge.about), name="local commands")
        tasks.create_task(edge.run(), name="link")


async def _begin(applications: Applications, config_map: Watched) -> None:
    """Run the applications, once it is known what is held."""
    with suppress(TimeoutError):
        async with asyncio.timeout(HOLD_KNOWN_WITHIN_S):
            await config_map.asked.wait()
    await applications.run()
