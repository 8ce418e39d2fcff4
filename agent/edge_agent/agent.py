"""One agent, wired: the link fills the replica, the applications work from the replica, their status goes up the link.

An agent that starts offline begins with what its replica holds.
"""

import asyncio
import random
import time
from collections.abc import Callable

import structlog

from edge_agent.applications import Applications
from edge_agent.cluster import Access, Cluster
from edge_agent.commands.serve import Commands
from edge_agent.edge import Edge, Replica
from edge_agent.rendering.process import Renderer
from edge_agent.rendering.rendering import Rendering
from edge_agent.rendering.requests import Requests
from edge_agent.rendering.secrets import RepositorySecrets
from edge_agent.rendering.steps import Steps
from edge_agent.rendering.telling import Telling
from edge_agent.replica import opened
from edge_agent.settings import Settings
from outrider.bus import connected
from outrider.identity import credentials

log = structlog.get_logger()


async def run(
    settings: Settings, *, clock: Callable[[], float] = time.time, rng: random.Random | None = None
) -> None:
    """Run the agent. Ends only by cancellation or by the first loop that fails."""
    rng = rng or random.SystemRandom()
    identity = credentials.load(settings.credentials)
    bus = settings.pinging(credentials.bus_settings(settings.credentials, settings.servers))
    with opened(settings.replica) as database:
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
    applications = Applications(
        cluster,
        store=edge.replica.progress,
        on_status=edge.on_status,
        on_removed=edge.on_removed,
        obtain=edge.inbound.obtain,
        manifests_of=edge.manifests_of,
        settings=settings.applications,
        chance=rng,
    )
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
    log.info("agent started", cluster=edge.name, applications=len(applications.names()))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(applications.run(), name="applications")
        tasks.create_task(commands.run(), name="commands")
        tasks.create_task(rendering.run(), name="rendering")
        tasks.create_task(asked.run(), name="renderings on request")
        tasks.create_task(edge.run(), name="link")
