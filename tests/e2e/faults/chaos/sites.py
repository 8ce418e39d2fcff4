"""What happens at an edge: hands on live objects, an API that fails, the agent killed, its replica damaged."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.faults.chaos.world import Step, World
from tests.e2e.faults.edge_side import live_objects

from outrider_playground.demo.edge import Edge
from outrider_playground.kubernetes import ApiError, Rule

if TYPE_CHECKING:
    from collections.abc import Callable


def drift(world: World) -> Step:
    """Somebody edits, or deletes, an object that is an application's."""
    edge, pick, deletes = world.edge(), world.dice.random(), world.dice.random() < 0.3

    async def act() -> None:
        there = [one for _, found in sorted(live_objects(edge).items()) for _, one in sorted(found.items())]
        if there:
            live = there[int(pick * len(there))]
            with suppress(ApiError):
                edge.cluster.delete(live) if deletes else edge.cluster.edit(
                    live, _edited(live), "kubectl-edit"
                )

    return Step(f"{'delete' if deletes else 'edit'} a live object on {edge.name} ({pick:.3f})", act)


def _edited(live: dict[str, Any]) -> dict[str, Any]:
    match live["kind"]:
        case "Deployment":
            return {"spec": {"replicas": 3}}
        case "ConfigMap":
            return {"data": {key: "edited" for key in live.get("data") or {}}}
        case _:
            return {"metadata": {"labels": {"edited": "yes"}}}


def fail_api(world: World) -> Step:
    """The Kubernetes API is slow, throttles, fails, loses answers or watches, for some requests."""
    edge, what, times = world.edge(), world.dice.randrange(6), world.dice.randint(1, 20)
    faults = edge.cluster.faults
    acts: list[tuple[str, Callable[[], object]]] = [
        ("answers 503", lambda: faults.answer(503, times=times)),
        ("throttles", lambda: faults.answer(429, times=min(times, 3), retry_after_s=1)),
        ("is slow", lambda: faults.delay(0.4, times=times)),
        ("loses answers", lambda: faults.add(Rule("patch", cut=True, after=True, times=times))),
        ("drops its watches", edge.cluster.drop_watches),
        ("forgets its history", edge.cluster.expire_watches),
    ]
    text, fail = acts[what]

    async def act() -> None:
        fail()

    return Step(f"the API of {edge.name} {text} ({times})", act)


def stop_api(world: World) -> Step | None:
    """The Kubernetes API goes away."""
    up = [edge for edge in world.fleet.edges if edge.name not in world.apis_down]
    if len(up) < 2:
        return None
    edge = world.dice.choice(up)
    world.apis_down.add(edge.name)
    return Step(f"the API of {edge.name} goes down", edge.cluster.go_down)


def start_api(world: World) -> Step | None:
    """It comes back."""
    if not world.apis_down:
        return None
    edge = world.fleet.edge(world.dice.choice(sorted(world.apis_down)))
    world.apis_down.discard(edge.name)
    return Step(f"the API of {edge.name} comes back", edge.cluster.come_back)


def kill_agent(world: World) -> Step | None:
    """An agent is killed, and perhaps started again at once."""
    up = [edge for edge in world.fleet.edges if edge.name not in world.agents_down]
    if not up:
        return None
    edge, at_once = world.dice.choice(up), world.dice.random() < 0.6
    if not at_once:
        world.agents_down.add(edge.name)

    async def act() -> None:
        await edge.agent.kill()
        if at_once:
            await edge.agent.start()

    return Step(f"kill the agent of {edge.name}{' and start it' if at_once else ''}", act)


def start_agent(world: World) -> Step | None:
    """One that was killed is started."""
    if not world.agents_down:
        return None
    edge = world.fleet.edge(world.dice.choice(sorted(world.agents_down)))
    world.agents_down.discard(edge.name)
    return Step(f"start the agent of {edge.name}", edge.agent.start)


def damage_replica(world: World) -> Step:
    """The agent is killed and its replica damaged or lost, then it starts."""
    edge, how, seed = world.edge(), world.dice.randrange(4), world.dice.random()
    ways = ("flipped bytes in", "cut in half", "lost", "lost the log of")
    world.agents_down.discard(edge.name)

    async def act() -> None:
        await edge.agent.kill()
        await asyncio.to_thread(_damaged, edge, how, seed)
        await edge.agent.start()

    return Step(f"kill the agent of {edge.name}: {ways[how]} its replica ({seed:.3f}); start it", act)


def _damaged(edge: Edge, how: int, seed: float) -> None:
    file = edge.replica
    log = file.with_name(f"{file.name}-wal")
    if not file.exists():
        return
    match how:
        case 0:
            _flip(file, seed)
        case 1:
            data = file.read_bytes()
            file.write_bytes(data[: len(data) // 2])
        case 2:
            for part in file.parent.glob(f"{file.name}*"):
                part.unlink()
        case 3:
            log.unlink(missing_ok=True)


def _flip(file: Path, seed: float) -> None:
    data = bytearray(file.read_bytes())
    start = int(seed * len(data) * 0.9)
    for index in range(start, min(start + 64, len(data))):
        data[index] ^= 0xFF
    file.write_bytes(bytes(data))


async def heal(world: World) -> None:
    """All APIs answer, all agents run."""
    for edge in world.fleet.edges:
        edge.cluster.faults.clear()
        if edge.name in world.apis_down:
            await edge.cluster.come_back()
        if edge.name in world.agents_down:
            await edge.agent.start()
    world.apis_down.clear()
    world.agents_down.clear()
