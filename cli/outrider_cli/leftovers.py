"""What a hub that was killed left behind: its NATS server, which would write to the same files as the next one.

The server writes a file that is named by its process; whether that process is still this folder's server is told by its command
line. The services need no looking after: the kernel ends them with their hub (`child`).
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from outrider_cli.failure import Failed

STOPS_WITHIN_S = 20.0
ASK_EVERY_S = 0.05


async def stop(state: Path, say: Callable[[str], None]) -> None:
    """Stop the server that an earlier hub of this folder left running; Failed if it does not end. The folder is held."""
    for pid in _servers(state):
        say(f"stopping the NATS server that an earlier hub left running (process {pid})")
        try:
            async with asyncio.timeout(STOPS_WITHIN_S):
                await _end(pid, state)
        except TimeoutError as error:
            raise Failed(
                f"the NATS server that an earlier hub left (process {pid}) does not stop: end it first"
            ) from error


async def _end(pid: int, state: Path) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    # It is no child of ours: there is no event to wait on.
    while _is_server(pid, state):  # noqa: ASYNC110
        await asyncio.sleep(ASK_EVERY_S)


def _servers(state: Path) -> list[int]:
    numbers = [file.stem.rpartition("_")[2] for file in (state / "nats").glob("nats-server_*.ports")]
    return [int(number) for number in numbers if number.isdecimal() and _is_server(int(number), state)]


def _is_server(pid: int, state: Path) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(state / "nats.conf") in command
