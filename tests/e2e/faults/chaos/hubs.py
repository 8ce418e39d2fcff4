"""Processes of the hub killed and started: services, NATS servers, the stream leader's; the whole hub."""

import asyncio
import os
import signal
from contextlib import suppress

from tests.e2e.faults.chaos.world import Step, World
from tests.e2e.faults.processes import pids_of

from outrider_playground.demo.hub import OneNodeHub
from outrider_playground.demo.three_nodes import ThreeNodeHub

PROCESSES = ("app_registry", "repo_renderer", "status_aggregator", "nats-server")
STREAMS = ("DESIRED", "STATUS", "KV_status", "KV_registry", "OBJ_bundles")
ASK_WITHIN_S = 5.0


def kill(world: World) -> Step | None:
    """A process of the hub is killed. `outrider up` starts it again; of three nodes, a later step does."""
    if isinstance(world.fleet.hub, ThreeNodeHub):
        return world.dice.choice((_kill_service, _kill_service, _kill_node, _kill_leader))(
            world, world.fleet.hub
        )
    name = world.dice.choice(PROCESSES)

    async def act() -> None:
        for pid in await asyncio.to_thread(pids_of, name, world.fleet.folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    return Step(f"kill {name}", act)


def restart_hub(world: World) -> Step | None:
    """The whole hub is gone for a while."""
    hub = world.fleet.hub
    if not isinstance(hub, OneNodeHub):
        return None
    gone_s = world.dice.uniform(0.5, 4)

    async def act() -> None:
        await hub.child.stop()
        # How long it is gone is the fault.
        await asyncio.sleep(gone_s)
        await hub.child.start()

    return Step(f"stop the hub for {gone_s:.1f} s", act)


def _kill_service(world: World, hub: ThreeNodeHub) -> Step | None:
    up = sorted(hub.services.keys() - world.services_down)
    # One of each kind goes on.
    spare = [name for name in up if sum(other[:-2] == name[:-2] for other in up) > 1]
    if not spare:
        return None
    name, at_once = world.dice.choice(spare), world.dice.random() < 0.5
    if not at_once:
        world.services_down.add(name)

    async def act() -> None:
        await hub.services[name].kill()
        if at_once:
            await hub.services[name].start()

    return Step(f"kill {name}{' and start it' if at_once else ''}", act)


def _kill_node(world: World, hub: ThreeNodeHub) -> Step | None:
    if world.nodes_down:
        return None
    node = world.dice.choice(hub.nodes)
    world.nodes_down.add(node.name)
    return Step(f"kill {node.name}", node.child.kill)


def _kill_leader(world: World, hub: ThreeNodeHub) -> Step | None:
    if world.nodes_down:
        return None
    stream = world.dice.choice(STREAMS)

    async def act() -> None:
        try:
            async with asyncio.timeout(ASK_WITHIN_S):
                leader = await hub.leader(stream)
        except (OSError, TimeoutError, KeyError):
            return
        await leader.child.kill()
        await leader.child.start()

    return Step(f"kill the node that leads {stream}, and start it", act)


def start(world: World) -> Step | None:
    """A service or node that was killed is started."""
    hub = world.fleet.hub
    if not isinstance(hub, ThreeNodeHub):
        return None
    down = sorted(world.services_down | world.nodes_down)
    if not down:
        return None
    name = world.dice.choice(down)
    world.services_down.discard(name)
    world.nodes_down.discard(name)
    children = hub.services | {node.name: node.child for node in hub.nodes}
    return Step(f"start {name}", children[name].start)


async def heal(world: World) -> None:
    """Everything of the hub runs."""
    while (step := start(world)) is not None:
        await step.act()
