"""`make chaos SECONDS=…`: random commits, edits and faults from a printed seed; in the end everything agrees, byte for byte.

A run that fails names the seed, the differences and the folder, which it keeps: state, logs and the steps.
"""

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.faults.chaos.run import Log, chaos

from outrider_playground.demo.fleet import running_fleet, running_fleet_of_three

pytestmark = pytest.mark.chaos

SECONDS = float(os.environ.get("OUTRIDER_CHAOS_SECONDS") or 120)
# Of random steps, half of it for each hub; starting, healing and comparing come on top.
SEED = int(os.environ.get("OUTRIDER_CHAOS_SEED") or random.SystemRandom().randrange(1, 1 << 32))
EDGES = 4
AGENTS = {"OUTRIDER_PING": "5", "OUTRIDER_WAVE_DELAY": "0"}


@contextmanager
def kept_if_it_fails(name: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"outrider-chaos-{name}-"))
    try:
        yield folder
    except BaseException:
        sys.stdout.write(f"{name}, seed {SEED}: FAILED. State, logs and steps.log are in {folder}\n")
        raise
    shutil.rmtree(folder)


async def test_whatever_happens_to_a_hub_of_one_node_all_sides_agree_in_the_end() -> None:
    with kept_if_it_fails("one-node") as folder:
        async with running_fleet(folder, EDGES, print, AGENTS) as fleet:
            await chaos(fleet, SEED, SECONDS / 2, Log(folder / "steps.log"))


async def test_whatever_happens_to_a_hub_of_three_nodes_all_sides_agree_in_the_end() -> None:
    with kept_if_it_fails("three-nodes") as folder:
        async with running_fleet_of_three(folder, EDGES, print, AGENTS) as fleet:
            await chaos(fleet, SEED, SECONDS / 2, Log(folder / "steps.log"))
