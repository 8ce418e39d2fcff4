"""One fleet a file: starting one takes longer than most faults. Every test leaves it as it was, with all sides in agreement."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from outrider_playground.demo.fleet import (
    Fleet,
    OneNodeFleet,
    ThreeNodeFleet,
    running_fleet,
    running_fleet_of_three,
)
from outrider_playground.demo.three_nodes import Options

AGENTS = {"OUTRIDER_PING": "1", "OUTRIDER_WAVE_DELAY": "0", "OUTRIDER_HEARTBEAT": "10"}
# A dead link is to be noticed in seconds here.
NODES = Options(ping_interval="2s")


def _silent(_text: str) -> None:
    return


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OneNodeFleet]:
    """A hub of one node, two edges behind WAN links and a repository: every process a real one."""
    async with running_fleet(tmp_path_factory.mktemp("fleet"), 2, _silent, AGENTS) as fleet:
        yield fleet


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet_of_three(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ThreeNodeFleet]:
    """The same with three NATS nodes, and two of each service."""
    folder = tmp_path_factory.mktemp("fleet-of-three")
    async with running_fleet_of_three(folder, 2, _silent, AGENTS, options=NODES) as fleet:
        yield fleet


@pytest_asyncio.fixture(loop_scope="module")
async def healed(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Take back, after a test that failed, what would make the others fail too."""
    yield
    for name in ("fleet", "fleet_of_three"):
        if name in request.fixturenames:
            await _heal(request.getfixturevalue(name))


async def _heal(fleet: Fleet) -> None:
    for edge in fleet.edges:
        await edge.link.restore()
        edge.link.mend()
        edge.cluster.faults.clear()
        if not edge.agent.pid:
            await edge.agent.start()
    if isinstance(fleet, OneNodeFleet):
        children = [fleet.hub.child]
    elif isinstance(fleet, ThreeNodeFleet):
        children = [*fleet.hub.services.values(), *(node.child for node in fleet.hub.nodes)]
    for child in children:
        if not child.pid:
            await child.start()


def log_of(folder: Path, name: str) -> str:
    """Return what a process has written so far."""
    return (folder / f"{name}.log").read_text(errors="replace")
