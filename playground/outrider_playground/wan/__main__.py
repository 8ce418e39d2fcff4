"""Runs one link as a process: python -m outrider_playground.wan --target HOST:PORT --port N --control PATH.

Prints one line of JSON, {"port": N}, once it listens. SIGTERM or SIGINT end it with status 0.
"""

import argparse
import asyncio
import json
import random
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from outrider_playground.wan.control import controlled
from outrider_playground.wan.link import WanLink


@dataclass(frozen=True)
class Settings:
    """What the command line says."""

    target_host: str
    target_port: int
    port: int
    control: Path | None
    seed: int | None


def parse(arguments: list[str]) -> Settings:
    """Read the command line. Ends the process with status 2 on a usage error."""
    parser = argparse.ArgumentParser(prog="python -m outrider_playground.wan", description=__doc__)
    parser.add_argument("--target", required=True, metavar="HOST:PORT", help="the hub's address")
    parser.add_argument("--port", type=int, default=0, help="loopback port to listen on (0: any free one)")
    parser.add_argument("--control", type=Path, metavar="PATH", help="Unix socket to steer the link by")
    parser.add_argument("--seed", type=int, help="makes jitter and stalls repeatable")
    options = parser.parse_args(arguments)
    host, _, port = options.target.rpartition(":")
    if not host or not port.isdecimal():
        parser.error(f"--target {options.target}: say HOST:PORT")
    return Settings(host.strip("[]"), int(port), options.port, options.control, options.seed)


async def run(settings: Settings) -> None:
    """Hold the link open until a signal asks for its end."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    dice = random.Random(settings.seed)
    async with AsyncExitStack() as stack:
        link = WanLink(settings.target_host, settings.target_port, port=settings.port, dice=dice)
        await stack.enter_async_context(link)
        if settings.control is not None:
            await stack.enter_async_context(controlled(link, settings.control))
        sys.stdout.write(json.dumps({"port": link.port}) + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(run(parse(sys.argv[1:])))
