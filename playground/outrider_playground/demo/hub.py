"""The hub of a playground: `outrider up` in a process of its own, worked with by the same command and the same requests as any.

A hub of three NATS nodes is in `three_nodes`.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from outrider import subjects
from outrider.bus import BusError, BusSettings, Connection, connected
from outrider.bus.services import RequestRefused, ask
from outrider.identity import credentials
from outrider.topology import Role
from outrider_playground.children import Child, python
from outrider_playground.waiting import eventually

STARTS_WITHIN_S = 40


class CommandFailed(Exception):
    """A command of `outrider` ended with an error; the message holds what it said."""


class Listener(NamedTuple):
    """Where one NATS server of a hub listens."""

    host: str
    port: int


class Hub:
    """A hub that runs, and a person's connection to it."""

    def __init__(self, state: Path, connection: Connection, listeners: tuple[Listener, ...]) -> None:
        self.state = state
        self.connection = connection
        self.listeners = listeners

    @property
    def port(self) -> int:
        """Where the first NATS server listens."""
        return self.listeners[0].port

    @property
    def urls(self) -> tuple[str, ...]:
        """Where NATS listens, by a name that its certificate has."""
        return tuple(f"tls://{host}:{port}" for host, port in self.listeners)

    def settings(self, role: Role) -> BusSettings:
        """Return how to connect as one of the hub's own."""
        return credentials.bus_settings(self.state / "credentials" / f"{role}.creds", self.urls)

    async def outrider(self, *arguments: str) -> Any:
        """Run a command with `--output json`; return what it printed. CommandFailed with its error."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "outrider_cli", *arguments, "--output", "json"),
            env={
                **os.environ,
                "OUTRIDER_CREDENTIALS": str(self.state / "credentials" / "person.creds"),
                "OUTRIDER_SERVERS": ",".join(self.urls),
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        if process.returncode:
            raise CommandFailed(f"outrider {' '.join(arguments)}: {errors.decode(errors='replace').strip()}")
        return json.loads(output) if output.strip() else None

    async def applications(self) -> list[dict[str, Any]]:
        """Return what the hub knows of every application."""
        items: list[dict[str, Any]] = []
        after = ""
        while True:
            page = await ask(self.connection, subjects.status_query("apps"), {"after": after, "limit": 500})
            items += page["items"]
            if not page.get("next"):
                return items
            after = page["next"]

    async def clusters(self) -> list[dict[str, Any]]:
        """Return what the hub knows of every cluster."""
        answer = await ask(self.connection, subjects.status_query("clusters"), {"limit": 500})
        found: list[dict[str, Any]] = answer["items"]
        return found

    async def refresh(self, url: str, *, timeout_s: float = 60) -> None:
        """Have the renderer look at a repository now, as a webhook does."""
        await ask(self.connection, subjects.render("default", "refresh"), {"url": url}, timeout_s=timeout_s)


class OneNodeHub(Hub):
    """`outrider up`: NATS and the services are children of one process."""

    def __init__(self, state: Path, child: Child, connection: Connection) -> None:
        super().__init__(state, connection, (Listener("127.0.0.1", _port(state)),))
        self.child = child


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _port(state: Path) -> int:
    servers: list[str] = json.loads((state / "hub.json").read_text())["servers"]
    return int(servers[0].rsplit(":", 1)[1])


@asynccontextmanager
async def running_hub(state: Path, *options: str, log_folder: Path) -> AsyncIterator[OneNodeHub]:
    """Start a hub on a free port; enter once its services answer."""
    # A fixed port: links lead to it, and the hub may be started again behind them.
    arguments = ("up", "--state", str(state), "--port", str(free_port()), *options)
    child = python("hub", "outrider_cli", *arguments, environment={}, log_folder=log_folder)
    await child.start()
    try:
        await _listening(state, child)
        settings = credentials.bus_settings(
            state / "credentials" / "person.creds", (f"tls://localhost:{_port(state)}",)
        )
        async with connected(settings) as connection:
            hub = OneNodeHub(state, child, connection)
            await eventually(lambda: answers(hub), STARTS_WITHIN_S)
            yield hub
    finally:
        await child.stop()


async def _listening(state: Path, child: Child) -> None:
    def ready() -> bool:
        if not child.pid:
            raise CommandFailed(f"the hub ended at once: {child.last_words()}")
        return (state / "hub.json").exists()

    await eventually(ready, STARTS_WITHIN_S)


async def answers(hub: Hub) -> bool:
    """Say whether each service of a hub answers."""
    try:
        await ask(hub.connection, subjects.status_query("summary"), timeout_s=1)
        await ask(hub.connection, subjects.registry("cluster.list"), timeout_s=1)
        await ask(hub.connection, subjects.render("default", "refresh"), timeout_s=1)
    except (BusError, RequestRefused):
        return False
    return True
