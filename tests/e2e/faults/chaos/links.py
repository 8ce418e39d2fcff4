"""Links cut, flapping, half-open, slow, thin, lossy, and mended."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.e2e.faults.chaos.world import Step, World

from outrider_playground.demo.edge import Edge
from outrider_playground.wan import Way

THIN_BYTES_PER_S = 1200.0
# 9.6 kbit/s


def cut(world: World) -> Step | None:
    """A link is cut."""
    return _down(world, "cut", lambda edge: edge.link.cut())


def hang(world: World) -> Step | None:
    """A link hangs: nothing moves and nobody says so; both ways, or one."""
    way = world.dice.choice((None, Way.UP, Way.DOWN))
    shown = "" if way is None else f", {way.value} only"
    return _down(world, f"hang{shown}:", lambda edge: edge.link.black_hole(way))


def _down(world: World, text: str, act: Callable[[Edge], Awaitable[None]]) -> Step | None:
    up = [edge for edge in world.fleet.edges if edge.name not in world.links_down]
    if not up:
        return None
    edge = world.dice.choice(up)
    world.links_down.add(edge.name)
    return Step(f"{text} the link of {edge.name}", lambda: act(edge))


def restore(world: World) -> Step | None:
    """A link comes back."""
    if not world.links_down:
        return None
    edge = world.fleet.edge(world.dice.choice(sorted(world.links_down)))
    world.links_down.discard(edge.name)
    return Step(f"restore the link of {edge.name}", edge.link.restore)


def flap(world: World) -> Step:
    """A link goes and comes several times in a second or two."""
    edge, times = world.edge(), world.dice.randint(2, 6)
    pauses_s = [world.dice.uniform(0.02, 0.3) for _ in range(2 * times)]
    world.links_down.discard(edge.name)

    async def act() -> None:
        for index, pause_s in enumerate(pauses_s):
            await (edge.link.cut() if index % 2 == 0 else edge.link.restore())
            # How long it is down, and up, is the fault.
            await asyncio.sleep(pause_s)

    return Step(f"flap the link of {edge.name} {times} times", act)


def slow(world: World) -> Step:
    """A link gets another character: a satellite's latency, a modem's capacity, losses; or none of it."""
    edge, what = world.edge(), world.dice.randrange(5)
    link = edge.link

    def changes() -> None:
        match what:
            case 0:
                link.delay(0.6, 0.1)
            case 1:
                link.throttle(THIN_BYTES_PER_S)
            case 2:
                link.stall(0.05, 1.0)
            case _:
                link.mend()

    async def act() -> None:
        changes()

    return Step(
        f"{('600 ms on', '9.6 kbit/s on', '5 % losses on', 'mend', 'mend')[what]} the link of {edge.name}",
        act,
    )


async def heal(world: World) -> None:
    """All links are up and fast."""
    for edge in world.fleet.edges:
        await edge.link.restore()
        edge.link.mend()
    world.links_down.clear()
