"""`make demo`: the fleet with a live table. `make demo ARGS=--check`: the story by itself, one JSON object, exit status 0 or 1."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from outrider import process
from outrider.tasks import background
from outrider_playground.demo.fleet import Fleet, running_fleet
from outrider_playground.demo.screen import show
from outrider_playground.demo.story import play


def main() -> int:
    """Run the demo; return its exit status."""
    parser = argparse.ArgumentParser(prog="demo", description="A hub and edges on this machine.")
    parser.add_argument("--check", action="store_true", help="play the story and print what it saw as JSON")
    parser.add_argument("--edges", type=int, default=5, help="how many edges (default 5)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with state and logs")
    arguments = parser.parse_args()
    if arguments.edges < 3:
        parser.error("--edges: the story needs at least 3")
    process.configure_logging("error")
    folder = Path(tempfile.mkdtemp(prefix="outrider-demo-"))
    status = [1]
    try:
        process.run(_run(folder, arguments.edges, arguments.check, status))
    finally:
        if arguments.keep or status[0]:
            sys.stderr.write(f"state and logs are in {folder}\n")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return status[0]


async def _run(folder: Path, edges: int, check: bool, status: list[int]) -> None:
    console = Console(stderr=check)

    def say(text: str) -> None:
        console.print(f"[dim]{text}[/dim]")

    async with running_fleet(folder, edges, say) as fleet:
        if check:
            report = await play(fleet, say)
            sys.stdout.write(json.dumps(report.as_dict()) + "\n")
            status[0] = 0 if report.ok else 1
            return
        status[0] = 0
        async with background(_commands(fleet), name="commands"):
            await show(fleet, console)


async def _commands(fleet: Fleet) -> None:
    """Read `cut EDGE`, `restore EDGE`, `kill EDGE`, `start EDGE` from standard input."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        verb, _, name = line.decode(errors="replace").strip().partition(" ")
        edge = next((edge for edge in fleet.edges if edge.name == name.strip()), None)
        if edge is None:
            continue
        actions = {
            "cut": edge.link.cut, "restore": edge.link.restore, "kill": edge.agent.kill, "start": edge.agent.start,
        }  # fmt: skip
        if verb in actions:
            await actions[verb]()
    # The demo goes on without a terminal.
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    sys.exit(main())
