"""A simulated cluster answers as a real Kubernetes API server was recorded to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .replay import SCENARIOS, Replay
from .targets import target

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
async def test_answers_are_those_recorded_from_a_real_server(path: Path) -> None:
    async with target() as found:
        await Replay(path, found).run()


def test_every_recorded_scenario_is_replayed() -> None:
    assert len(SCENARIOS) == 11
