"""The real process, killed at any instant while work goes on, and started again."""

import asyncio
import os
import random
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from outrider import delta
from outrider.bus import BusError
from outrider.bus.services import RequestRefused
from outrider.messages import Generation
from outrider.names import AppName

from .conftest import NOTHING, Fleet, application, bundle, eventually

APPS = 12
KILLS = 3


async def start(hub: Any) -> Process:
    environment = {
        **os.environ,
        "OUTRIDER_CREDENTIALS": str(hub.state / "credentials" / "registry.creds"),
        "OUTRIDER_KEYS": str(hub.state / "registry.json"),
        "OUTRIDER_SERVERS": hub.url,
        "OUTRIDER_REPLICA": "one",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app_registry", env=environment, stdout=DEVNULL, stderr=DEVNULL
    )


@asynccontextmanager
async def process(hub: Any) -> AsyncIterator[Process]:
    started = await start(hub)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def insist(fleet: Fleet, verb: str, **arguments: Any) -> None:
    """Ask until it is done, as a person would."""

    async def done() -> bool:
        try:
            await fleet.ask(verb, **arguments)
        except BusError:
            return False
        except RequestRefused as error:
            # The request before this one was carried out, and its answer was lost.
            assert "no application" in str(error) or "same moment" in str(error)  # noqa: PT017
        return True

    await eventually(done, 60)


async def test_a_registry_killed_at_any_instant_ends_where_one_that_was_never_killed_does(
    fleet: Fleet,
) -> None:
    dice = random.Random(7)
    hub = fleet.hub
    async with process(hub) as first:
        await fleet.ready()
        edge = await fleet.edge("shop1")
        names = [f"till-{n}" for n in range(APPS)]
        for name in names:
            await fleet.ask("app.apply", manifest=application(name))
        key = await fleet.wanted()
        first.kill()
    for n in range(KILLS):
        # While the registry comes up and works, it is killed after one of the records that it publishes.
        await fleet.render(key, bundle(f"v{n}"))
        async with process(hub) as running:
            for _ in range(dice.randrange(1, APPS)):
                await edge.next()
            running.kill()
    async with process(hub):
        await fleet.ready()
        await insist(fleet, "app.delete", name=names[0])
        await fleet.render(key, bundle("last"))

        def arrived() -> bool:
            live = {name: edge.held.get(AppName(name)) for name in names}
            ended = live.pop(names[0])
            wanted = delta.digest(bundle("last"))
            return bool(ended and ended.is_tombstone) and all(r and r.digest == wanted for r in live.values())

        while not arrived():
            await edge.next()
    generations = [record.generation for record in edge.held.values()]
    assert len(set(generations)) == APPS
    held, edge.held, edge.seen = edge.held, {}, NOTHING
    async with process(hub) as last:
        await fleet.ready()
        await edge.resync()
        assert edge.held == held
        assert edge.seen == max(generations) > Generation(1, APPS)
        last.terminate()
        assert await last.wait() == 0


async def test_a_wrong_setting_is_one_sentence_and_exit_status_2(hub: Any) -> None:
    environment = {"OUTRIDER_CREDENTIALS": "/nowhere", "OUTRIDER_KEYS": str(hub.state / "registry.json")}
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app_registry", env={**os.environ, **environment}, stdout=DEVNULL, stderr=PIPE
    )
    _, said = await started.communicate()
    assert started.returncode == 2
    (line,) = said.decode().splitlines()
    assert line.startswith("app-registry: can't read credentials /nowhere")
