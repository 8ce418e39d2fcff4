"""An agent's process that is killed at any instant: while it writes, and while it replaces a damaged file."""

import asyncio
import random
import sys
from pathlib import Path

from tests.unit.edge_replica.stored import APPS

from edge_agent.replica import Bundles, Holdings, Progress, opened

ROOT = Path(__file__).parents[3]
KILLS = 12


async def killed_after(path: Path, lines: int, moment_s: float) -> list[tuple[int, str]]:
    """Run a writer, kill it a moment after it has said so many lines; return all that it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.edge_replica.writer", str(path),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    said: list[bytes] = []
    async with asyncio.timeout(60):
        while len(said) < lines:
            said.append(await process.stdout.readline())
        # The instant is the point: anywhere within a transaction, a checkpoint, a rename.
        await asyncio.sleep(moment_s)
        process.kill()
        said += [line async for line in process.stdout]
        await process.wait()
    words = [line.decode().split() for line in said if line.endswith(b"\n")]
    return [(int(counter), what) for counter, what in (one for one in words if len(one) == 2)]


def copies(folder: Path) -> set[str]:
    return {file.name.split("-wal")[0] for file in folder.glob("*.damaged-*")}


async def test_what_was_stored_is_there_and_whole_whenever_the_process_is_killed(tmp_path: Path) -> None:
    dice, path, last = random.Random(4), tmp_path / "replica.sqlite", 0
    for _ in range(KILLS):
        said = await killed_after(path, dice.randrange(1, 30), dice.uniform(0, 0.03))
        assert said[0][1] == "opened"
        # Nothing that it said to be stored is gone.
        assert said[0][0] >= last
        last = max(counter for counter, _ in said)
    with opened(path) as database:
        bundles = Bundles(database)
        holdings = Holdings(database, bundles)
        assert holdings.highest.counter >= last
        assert {one.app for one in holdings.all()} == set(APPS)
        for one in holdings.all():
            assert one.record.digest
            assert bundles.get(one.record.digest) is not None
            found = await Progress(database).get(one.app)
            assert found is not None
            assert found["core"] >= one.record.counter - 5
        assert [loss for loss in database.losses if loss.what != "file"] == []
    assert len(copies(tmp_path)) <= 2
