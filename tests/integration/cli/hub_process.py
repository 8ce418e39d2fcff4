"""A hub that `outrider up` runs in a process of its own, and its processes."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVICES = ("app_registry", "repo_renderer", "status_aggregator")
WITHIN_S = 60


@dataclass
class Up:
    """A hub that `outrider up` runs."""

    process: subprocess.Popen[str]
    log: Path
    said: dict[str, Any]
    # its answer once it was ready

    @property
    def state(self) -> Path:
        return Path(self.said["state"])

    @property
    def port(self) -> str:
        return str(self.said["listens"]).rpartition(":")[2]

    def children(self) -> dict[str, int]:
        """Return the services' processes."""
        return {
            module: pid
            for pid, parent, command in processes()
            if parent == self.process.pid and command[1:2] == ["-m"] and (module := command[2]) in SERVICES
        }

    def servers(self) -> set[int]:
        """Return the process of the NATS server, which names a file by it."""
        return {int(file.stem.rpartition("_")[2]) for file in (self.state / "nats").glob("*.ports")}

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(WITHIN_S)


def processes() -> Iterator[tuple[int, int, list[str]]]:
    """Yield process, parent and command line of all that run and are not waiting to be buried."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            status, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if status != "Z":
                yield int(folder.name), int(parent), command


def wait_until(condition: Callable[[], bool]) -> None:
    # Processes of processes: there is no event to wait on.
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def all_gone(pids: set[int]) -> bool:
    return not pids & {pid for pid, _, _ in processes()}


def command_line(state: Path, *options: object) -> list[str]:
    fixed = ("--state", state, "--port", "0", "--metrics", "off", "-o", "json")
    return [sys.executable, "-m", "outrider_cli", "up", *map(str, (*fixed, *options))]


@contextmanager
def up(state: Path, *options: object) -> Iterator[Up]:
    log = state.with_name(f"{state.name}-{time.monotonic_ns()}.log")
    with log.open("w") as stderr:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command_line(state, *options), stdout=subprocess.PIPE, stderr=stderr, text=True
        )
    assert process.stdout is not None
    try:
        said = ""
        while not said.endswith("}\n"):
            line = process.stdout.readline()
            assert line, log.read_text()
            said += line
        yield Up(process, log, json.loads(said))
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=WITHIN_S)


def refused(state: Path, *options: object) -> str:
    ended = subprocess.run(  # noqa: S603 - our own command
        command_line(state, *options), capture_output=True, text=True, timeout=WITHIN_S, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Traceback" not in ended.stderr
    return ended.stderr.splitlines()[-1]
