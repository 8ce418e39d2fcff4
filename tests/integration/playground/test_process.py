"""A simulated cluster as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import aiohttp

from .hands import PATIENCE_S, Http, config_map, definition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MAPS = "/api/v1/namespaces/default/configmaps"


@contextlib.asynccontextmanager
async def _process(folder: Path, *words: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run the process until the kubeconfig tells that it serves."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.unlink(missing_ok=True)
    command = (
        sys.executable,
        "-m",
        "outrider_playground.kubernetes",
        "--kubeconfig",
        str(kubeconfig),
        *words,
    )
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(FileNotFoundError, ValueError):
                    server = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
                    break
                await asyncio.sleep(0.02)
        yield process, server
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _ask(url: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session:
        return await Http(session, url)(method, path, body)


async def test_it_ends_on_sigterm_and_has_its_objects_again(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "state.json"))
    async with _process(tmp_path, *state) as (process, url):
        await _ask(url, "POST", MAPS, config_map("kept"))
        await _ask(url, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition())
        version = (await _ask(url, "GET", MAPS))[1]["metadata"]["resourceVersion"]
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    async with _process(tmp_path, *state) as (_, url):
        _, listed = await _ask(url, "GET", MAPS)
        assert [each["metadata"]["name"] for each in listed["items"]] == ["kept"]
        assert int(listed["metadata"]["resourceVersion"]) >= int(version)
        assert (await _ask(url, "GET", "/apis/example.com/v1/widgets"))[0] == 200


async def test_after_a_kill_it_has_what_was_written_before(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    async with _process(tmp_path, "--state", str(file)) as (process, url):
        await _ask(url, "POST", MAPS, config_map("kept"))
        async with asyncio.timeout(PATIENCE_S):
            while not file.exists() or "kept" not in file.read_text():  # noqa: ASYNC110  # a file has no event
                await asyncio.sleep(0.02)
        process.kill()
        await process.wait()
    async with _process(tmp_path, "--state", str(file)) as (_, url):
        assert (await _ask(url, "GET", f"{MAPS}/kept"))[0] == 200


async def test_a_state_file_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text("{")
    command = (sys.executable, "-m", "outrider_playground.kubernetes", "--state", str(file))
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    written, _ = await process.communicate()
    assert process.returncode == 1
    assert str(file) in written.decode()
