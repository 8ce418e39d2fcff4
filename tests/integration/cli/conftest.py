import asyncio
import contextlib
import io
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, NamedTuple

import pytest
from tests.integration.cli.services import Services
from tests.integration.conftest import Hub

from outrider.bus import Connection, NoResponders
from outrider_cli.__main__ import run


class Ended(NamedTuple):
    """A command line that has ended."""

    status: int
    stdout: str
    stderr: str


Outrider = Callable[..., Coroutine[Any, Any, Ended]]


def _run(arguments: tuple[str, ...], stdin: bytes) -> Ended:
    stdout, stderr = io.StringIO(), io.StringIO()
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            status = run(arguments)
    finally:
        sys.stdin = before
    return Ended(status, stdout.getvalue(), stderr.getvalue())


@pytest.fixture
def outrider(monkeypatch: pytest.MonkeyPatch) -> Outrider:
    """Run a command line as a person would, and read what it wrote. The bus of the test goes on meanwhile."""
    for name in ("OUTRIDER_STATE", "OUTRIDER_CREDENTIALS", "OUTRIDER_SERVERS", "OUTRIDER_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    async def call(*arguments: object, stdin: bytes = b"") -> Ended:
        return await asyncio.to_thread(_run, tuple(str(one) for one in arguments), stdin)

    return call


@pytest.fixture
async def services(hub: Hub, outrider: Outrider, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Services]:
    """A hub whose services answer, found by the environment."""
    monkeypatch.setenv("OUTRIDER_CREDENTIALS", str(hub.state / "credentials" / "person.creds"))
    monkeypatch.setenv("OUTRIDER_SERVERS", hub.url)
    services = Services(hub)
    async with (
        services.serving("registry", "app-registry"),
        services.serving("renderer", "repo-renderer"),
        services.serving("aggregator", "status-aggregator"),
        hub.connect("person") as person,
    ):
        async with asyncio.timeout(10):
            for name in ("app-registry", "repo-renderer", "status-aggregator"):
                await _answers(person, name)
        yield services


async def _answers(person: Connection, name: str) -> None:
    while True:
        with contextlib.suppress(NoResponders):
            await person.request(f"$SRV.PING.{name}", timeout_s=5)
            return
        await person.pause()
