from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from outrider_playground.wan.control import ask

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.playground_wan.conftest import Hub


async def spawn(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "outrider_playground.wan",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
async def test_a_link_runs_as_a_process_and_ends_cleanly_when_asked(
    hub: Hub, tmp_path: Path, ending: signal.Signals
) -> None:
    control = tmp_path / "link.sock"
    async with asyncio.timeout(20):
        process = await spawn("--target", f"127.0.0.1:{hub.port}", "--control", str(control))
        assert process.stdout is not None
        port = json.loads(await process.stdout.readline())["port"]
        agent_in, agent_out = await asyncio.open_connection("127.0.0.1", port)
        hub_in, _ = await hub.accepted.get()
        agent_out.write(b"through")
        assert await hub_in.readexactly(7) == b"through"
        answer = await ask(control, "cut")
        assert answer["counters"]["up"]["payload_bytes"] == 7
        with pytest.raises(ConnectionResetError):
            await agent_in.readexactly(1)
        process.send_signal(ending)
        output, errors = await process.communicate()
        agent_out.close()
    assert (process.returncode, output, errors) == (0, b"", b"")
    assert not control.exists()


async def test_a_process_killed_hard_leaves_a_control_path_that_the_next_one_takes(
    hub: Hub, tmp_path: Path
) -> None:
    control = tmp_path / "link.sock"
    arguments = ("--target", f"127.0.0.1:{hub.port}", "--control", str(control))
    async with asyncio.timeout(20):
        first = await spawn(*arguments)
        assert first.stdout is not None
        await first.stdout.readline()
        first.kill()
        await first.communicate()
        assert control.exists()
        second = await spawn(*arguments)
        assert second.stdout is not None
        await second.stdout.readline()
        assert (await ask(control, "counters"))["ok"] is True
        second.terminate()
        await second.communicate()
    assert second.returncode == 0


@pytest.mark.parametrize("target", ["nowhere", ":4222", "hub:", "hub:x"])
async def test_a_target_without_host_or_port_is_a_usage_error(target: str) -> None:
    async with asyncio.timeout(20):
        process = await spawn("--target", target)
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"say HOST:PORT" in errors
