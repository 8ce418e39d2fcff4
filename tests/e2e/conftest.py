from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outrider_playground.demo.fleet import OneNodeFleet, running_fleet

EDGES = 3


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[OneNodeFleet]:
    """A hub, three edges behind WAN links and a repository: every process a real one."""
    async with running_fleet(tmp_path, EDGES, lambda _text: None) as fleet:
        yield fleet
