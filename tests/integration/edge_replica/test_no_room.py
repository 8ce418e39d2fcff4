"""An agent whose disk is full, or can't be written to: it runs what it holds, says so, and needs nobody once there is room."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.edge_local.conftest import LocalSite, config_map

from outrider_playground.waiting import eventually

from .media import SmallDisk, read_only, small_disk
from .test_offline import MENU, TILL, edit, healed, said, two_applications, until_said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator


@pytest.fixture
def disk(site: LocalSite) -> Iterator[SmallDisk]:
    """The agent's folder is a disk of some hundred KB."""
    with small_disk(site.state, "600k") as disk:
        yield disk


async def begun_import(site: LocalSite) -> asyncio.subprocess.Process:
    """Begin to import what the hub has: it waits for room, and a person does other things meanwhile."""
    file = site.folder / "stick.export"
    file.write_bytes(site.hub.file())
    command = "import sys; from edge_agent.local.command import run; sys.exit(run(sys.argv[1:]))"
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", command, "import", "--state", str(site.state), str(file)
    )


async def test_a_disk_that_is_filled_while_the_agent_runs_stops_nothing_that_it_holds(
    site: LocalSite, disk: SmallDisk
) -> None:
    async with site.agent():
        await two_applications(site)
        disk.fill()
        large = config_map("large", noise="".join(map(str, range(120_000))))
        site.hub.desire("menu", config_map("menu", dish="2"), large)
        importing = await begun_import(site)
        edit(site, TILL, "drifted")
        await healed(site, TILL)
        await until_said(site, "ReplicaUnwritable", "full")
        edit(site, MENU, "drifted")
        await healed(site, MENU)
        disk.free()
        assert await importing.wait() == 0
        await site.until_synced("menu")


async def test_an_agent_starts_on_a_full_disk_and_heals_what_it_holds(
    site: LocalSite, disk: SmallDisk
) -> None:
    async with site.agent():
        await two_applications(site)
    disk.fill()
    for _ in range(2):
        edit(site, MENU, "drifted")
        async with site.agent():
            await healed(site, MENU)
            edit(site, TILL, "drifted")
            await healed(site, TILL)
    disk.free()
    async with site.agent():
        site.hub.desire("menu", config_map("menu", dish="2"))
        assert (await site.import_(site.hub.file())).status == 0
        await site.until_synced("menu")
        assert await said(site, "ReplicaUnwritable") == ""


async def test_an_application_ends_on_a_full_disk_and_all_of_it_once_there_is_room(
    site: LocalSite, disk: SmallDisk
) -> None:
    async with site.agent():
        await two_applications(site)
        site.hub.end("menu")
        assert (await site.import_(site.hub.file())).status == 0
        await eventually(lambda: site.live("menu") is None, 30)

        async def gone() -> bool:
            return await site.app("menu") == {}

        await eventually(gone, 30)
        disk.fill()
        site.hub.end("till")
        importing = await begun_import(site)
        await until_said(site, "ReplicaUnwritable", "full")
        disk.free()
        assert await importing.wait() == 0
        await eventually(lambda: site.live("till") is None, 30)


async def test_a_folder_that_can_t_be_written_to_is_said_and_what_it_holds_is_run(
    site: LocalSite,
) -> None:
    async with site.agent():
        await two_applications(site)
    with read_only(site.state):
        async with reached(site) as status:
            edit(site, MENU, "drifted")
            await healed(site, MENU)
            conditions = (await status())["about"]["conditions"]
            told = {one["type"]: one["message"] for one in conditions}
            assert "nothing of it outlives the agent's process" in told["ReplicaUnwritable"]
    async with site.agent():
        edit(site, TILL, "drifted")
        await healed(site, TILL)
        assert await said(site, "ReplicaUnwritable") == ""


async def test_an_agent_without_any_place_to_write_runs_what_it_is_given(site: LocalSite) -> None:
    site.state.mkdir()
    with read_only(site.state):
        async with reached(site):
            site.hub.desire("menu", MENU)
            file = site.folder / "stick.export"
            file.write_bytes(site.hub.file())
            assert (await site("import", "--socket", site.folder / "agent.sock", file)).status == 0
            await eventually(lambda: site.live("menu") == MENU["data"], 30)


@asynccontextmanager
async def reached(site: LocalSite) -> AsyncIterator[Callable[[], Awaitable[dict[str, Any]]]]:
    """Run an agent whose socket is not in its folder; give its status."""
    socket = site.folder / "agent.sock"

    async def status() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await site.done("status", "--socket", socket, "-o", "json"))
        return found

    async with site.agent_without_command(socket=socket):
        await eventually(socket.exists, 30)
        yield status
