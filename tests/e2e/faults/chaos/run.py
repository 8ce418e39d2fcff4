"""A run of random steps, drawn from a seed: the same seed draws the same steps, as many of them as time allows."""

import asyncio
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e.faults.agreement import Disagreement, agree
from tests.e2e.faults.chaos import applications, commits, hubs, links, sites
from tests.e2e.faults.chaos.people import People
from tests.e2e.faults.chaos.world import Draw, Step, World

from outrider.tasks import background
from outrider_playground.demo.fleet import Fleet

AGREE_WITHIN_S = 240.0
STEPS: dict[Draw, int] = {
    commits.bump: 6,
    commits.change: 5,
    commits.add: 4,
    commits.remove: 3,
    commits.replace_release: 2,
    commits.mistake: 2,
    commits.mend: 3,
    commits.rewrite: 1,
    applications.create: 5,
    applications.delete: 2,
    applications.recreate: 2,
    applications.edit: 2,
    applications.move: 1,
    sites.drift: 8,
    sites.fail_api: 4,
    sites.stop_api: 1,
    sites.start_api: 2,
    sites.kill_agent: 5,
    sites.start_agent: 4,
    sites.damage_replica: 2,
    links.cut: 3,
    links.hang: 2,
    links.restore: 6,
    links.flap: 3,
    links.slow: 5,
    hubs.kill: 5,
    hubs.start: 5,
    hubs.restart_hub: 1,
}
"""How often each is drawn, against the others."""

Say = Callable[[str], None]


async def chaos(fleet: Fleet, seed: int, seconds: float, say: Say) -> None:
    """Run steps for so long, heal everything, and see that all sides agree. Disagreement if they don't."""
    dice = random.Random(seed)
    people = People(fleet.hub)
    world = World(fleet, people, dice)
    await asyncio.to_thread(fleet.repository.commit, commits.files(), "What chaos works on")
    say(f"seed {seed}, {seconds:g} s of steps, {len(fleet.edges)} edges, in {fleet.folder}")
    began, count = time.monotonic(), 0
    async with background(people.run(), name="people"):
        while time.monotonic() - began < seconds:
            step, pause_s = draw(world), dice.uniform(0, 1.2)
            count += 1
            say(f"{count:4} {time.monotonic() - began:7.2f} s  {step.text}")
            await step.act()
            # When the next one comes is part of the seed.
            await asyncio.sleep(pause_s)
        say(f"healing after {count} steps")
        for part in (links, hubs, sites, commits):
            await part.heal(world)
        try:
            async with asyncio.timeout(AGREE_WITHIN_S):
                await people.until_done()
        except TimeoutError:
            raise Disagreement(
                [f"{name}: the hub does not take it: {why}" for name, why in people.refusals.items()]
            ) from None
    say("comparing")
    leftovers = frozenset(world.leftovers)
    await agree(fleet, world.wanted, leftovers=leftovers, within_s=AGREE_WITHIN_S, say=say)
    say(f"all agree after {count} steps")


def draw(world: World) -> Step:
    """Draw the next step."""
    while True:
        (kind,) = world.dice.choices(list(STEPS), list(STEPS.values()))
        step = kind(world)
        if step is not None:
            return step


class Log:
    """Says each line, and keeps it in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self, text: str) -> None:
        """Say a line."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
        with self._file.open("a") as output:
            output.write(text + "\n")


__all__ = ["Disagreement", "Log", "chaos"]
