"""A hub on one machine: what it is made of, started in order, stopped in the opposite order.

The NATS server first, then the three services, each a process of its own that is started again when it ends. The hub is ready
when each service answers on the bus. On the way out the services stop before the server, the last started first.
"""

import asyncio
import contextlib
import errno
import os
import random
import signal
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from outrider.backoff import Backoff
from outrider.bus.embedded import EmbeddedSettings, NatsServerFailed
from outrider.tasks import background
from outrider_cli import leftovers, log_lines, state_folder
from outrider_cli.failure import Failed
from outrider_cli.finding import find
from outrider_cli.hub import opened
from outrider_cli.identity_folder import THIS_MACHINE, is_elsewhere, prepare, told_servers, url_host
from outrider_cli.supervise import Child, Restarts, keep_running, keep_serving

READY_WITHIN_S = 60.0
ASK_EVERY_S = 0.2
_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, and chosen by a person only
_RESTARTS = Backoff(first_s=1.0, cap_s=30.0)


@dataclass(frozen=True)
class Wanted:
    """What `outrider up` was asked for."""

    state: Path
    names: tuple[str, ...] = ()
    listen: str | None = None
    port: int = 4222
    websocket_port: int | None = None
    poll_interval: float | None = None
    local_repositories: bool = False
    metrics: str | None = None

    @property
    def address(self) -> str:
        """The address to listen on."""
        return self.listen or (_EVERY_ADDRESS[0] if self.names else "127.0.0.1")

    @property
    def own_names(self) -> tuple[str, ...]:
        """Names for the certificate beside this machine's own."""
        specific = self.listen and self.listen not in (*_EVERY_ADDRESS, *THIS_MACHINE)
        return (*self.names, self.listen) if specific and self.listen else self.names

    def local_server(self, port: int) -> str:
        """The URL by which this machine itself reaches the hub."""
        here = self.address in (*_EVERY_ADDRESS, *THIS_MACHINE)
        return f"tls://{'localhost' if here else url_host(self.address)}:{port}"


@dataclass(frozen=True)
class Hub:
    """A hub whose folder is prepared and held."""

    wanted: Wanted
    say: Callable[[str], None]

    @classmethod
    def prepared(cls, wanted: Wanted, say: Callable[[str], None]) -> "Hub":
        """Prepare the folder; Failed if that, or the port, can't be had."""
        if not (wanted.state / "trust.json").exists():
            say(f"making keys and certificates in {wanted.state}")
        if prepare(wanted.state, wanted.own_names, ()).reissued:
            say("the server's certificate was issued again, by the same authority")
        return cls(wanted, say)

    async def run(self, on_ready: Callable[[dict[str, Any]], None]) -> None:
        """Run until cancelled. Failed when it can't start, or a service says that a setting is wrong."""
        _stop_on_hangup()
        wanted = self.wanted
        await leftovers.stop(wanted.state, self.say)
        check_port(wanted.address, wanted.port)
        async with AsyncExitStack() as stack:
            self.say("starting the NATS server")
            port = await self._start_server(stack)
            answer = self._answer(port)
            # Commands on this machine go the way that needs no name of the network.
            state_folder.write_address(wanted.state, {**answer, "servers": [answer["local"]]})
            stack.callback(state_folder.remove_address, wanted.state)
            self.say(f"starting {', '.join(child.name for child in self._children(port))}")
            for child in self._children(port):
                keeping = keep_running(child, log_lines.write, self._restarts())
                await stack.enter_async_context(background(keeping, name=child.name))
            await self._until_ready([child.name for child in self._children(port)])
            on_ready(answer)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self.say("stopping")

    async def _start_server(self, stack: AsyncExitStack) -> int:
        wanted = self.wanted
        settings = EmbeddedSettings(
            state=wanted.state,
            host=url_host(wanted.address),
            port=wanted.port or -1,
            websocket_port=-1 if wanted.websocket_port == 0 else wanted.websocket_port,
        )
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        keeping = keep_serving(settings, started, log_lines.write, self._restarts())
        await stack.enter_async_context(background(keeping, name="nats-server"))
        try:
            port = await started
        except NatsServerFailed as error:
            raise Failed(f"the NATS server can't start: {error}") from error
        self._tell_servers(port)
        return port

    def _tell_servers(self, port: int) -> None:
        """Tell edges the real address, unless a person has named another one before."""
        wanted = self.wanted
        if wanted.own_names:
            told = tuple(f"tls://{url_host(name)}:{port}" for name in wanted.own_names)
        elif any(is_elsewhere(server) for server in told_servers(wanted.state)):
            return
        else:
            told = (wanted.local_server(port),)
        prepare(wanted.state, (), told)

    def _answer(self, port: int) -> dict[str, Any]:
        wanted = self.wanted
        return {
            "listens": f"{url_host(wanted.address)}:{port}",
            "local": wanted.local_server(port),
            "servers": list(told_servers(wanted.state)),
            "credentials": str(wanted.state / state_folder.PERSON),
            "state": str(wanted.state),
            "pid": os.getpid(),
        }

    def _children(self, port: int) -> list[Child]:
        wanted = self.wanted
        poll = {"OUTRIDER_POLL_INTERVAL": f"{wanted.poll_interval:g}"} if wanted.poll_interval else {}
        local = {"OUTRIDER_LOCAL_REPOSITORIES": "1"} if wanted.local_repositories else {}
        metrics = {"OUTRIDER_METRICS": wanted.metrics} if wanted.metrics else {}
        keys = {
            role: {"OUTRIDER_KEYS": str(wanted.state / f"{role}.json")} for role in ("registry", "renderer")
        }
        child = partial(self._child, port)
        return [
            child("app-registry", "app_registry", "registry", keys["registry"]),
            child("repo-renderer", "repo_renderer", "renderer", {**keys["renderer"], **poll, **local}),
            child("status-aggregator", "status_aggregator", "aggregator", metrics),
        ]

    def _child(self, port: int, name: str, module: str, role: str, more: dict[str, str]) -> Child:
        state = self.wanted.state
        environment = {
            "OUTRIDER_CREDENTIALS": str(state / "credentials" / f"{role}.creds"),
            "OUTRIDER_SERVERS": self.wanted.local_server(port),
            "OUTRIDER_STATE": str(state / "work" / name),
        }
        return Child(name, module, {**environment, **more})

    def _restarts(self) -> Restarts:
        return Restarts(_RESTARTS, random.SystemRandom())

    async def _until_ready(self, services: list[str]) -> None:
        waiting = list(services)
        try:
            async with asyncio.timeout(READY_WITHIN_S), opened(find(self.wanted.state)) as hub:
                while waiting:
                    waiting = [name for name in waiting if not await hub.is_serving(name)]
                    await asyncio.sleep(ASK_EVERY_S if waiting else 0)
        except TimeoutError:
            self.say(
                f"not ready after {READY_WITHIN_S:g} s: {', '.join(waiting)}; the log says why, and they are tried again"
            )


def check_port(address: str, port: int) -> None:
    """Fail with a sentence if the server could not listen there."""
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(found[0], found[1]) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(found[4])
    except OSError as error:
        raise Failed(_no_port(address, port, error)) from error


def _no_port(address: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {address} is taken by another program: stop that one, or choose another port with --port"
    if error.errno == errno.EACCES:
        return f"port {port} of {address} is not for this user: choose one above 1023 with --port"
    return f"can't listen on {address}: {error.strerror or error}; choose an address of this machine with --listen"


def _stop_on_hangup() -> None:
    """Let a terminal that closes stop the hub as an interrupt does."""
    with contextlib.suppress(NotImplementedError, RuntimeError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, os.kill, os.getpid(), signal.SIGTERM)
