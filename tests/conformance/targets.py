"""What the scenarios are replayed against: the stand-in, or with OUTRIDER_TEST_KUBECONFIG a real cluster."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
from kubernetes_asyncio import config as kubernetes_config
from kubernetes_asyncio.client import ApiClient

from outrider_playground.kubernetes import Settings, SimulatedCluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REAL = os.environ.get("OUTRIDER_TEST_KUBECONFIG")
NAMESPACE = "golden"
_USER_AGENT = "Python-urllib/3.11"
"""What the recorder called itself: it became the name of its field manager."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    content_type: str
    warnings: list[str]
    body: Any


class Target:
    """A cluster to replay scenarios against."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "",
        accept: str = "application/json",
    ) -> Answer:
        """Send a request; an answer that streams is read to its end."""
        headers = {"User-Agent": _USER_AGENT, "Accept": accept}
        if content_type:
            headers["Content-Type"] = content_type
        data = body if isinstance(body, str) else json.dumps(body) if body is not None else None
        async with self.session.request(method, self.url + path, data=data, headers=headers) as response:
            text = await response.text()
            kind = response.headers.get("Content-Type", "")
            return Answer(
                response.status,
                kind,
                response.headers.getall("Warning", []),
                _parsed(text, kind, "watch=true" in path and response.status == 200),
            )

    async def must(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Any:
        """Send a request that the scenario did not record, and that must succeed."""
        answer = await self.send(method, path, body, content_type)
        assert answer.status < 300, (method, path, answer)
        return answer.body

    def tell_time(self, number: int) -> None:
        """Let it be the time that a token stands for; never goes back. Real time passes by itself."""

    def hold(self) -> None:
        """Let controllers wait, where that can be asked for."""

    def release(self) -> None:
        """Let controllers go on."""

    @property
    def exact(self) -> bool:
        """Whether times are under control, so that equal tokens must be equal times."""
        return False


class SimulatedTarget(Target):
    """The stand-in, with a clock that only moves when told, and controllers that wait when told."""

    def __init__(self, session: aiohttp.ClientSession, cluster: SimulatedCluster, clock: Clock) -> None:
        super().__init__(session, cluster.url)
        self._cluster = cluster
        self._clock = clock

    def tell_time(self, number: int) -> None:
        self._clock.number = max(number, self._clock.number)

    def hold(self) -> None:
        self._cluster.controllers.hold()

    def release(self) -> None:
        self._cluster.controllers.release()

    @property
    def exact(self) -> bool:
        return True


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.number = 1

    def __call__(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.number)


@contextlib.asynccontextmanager
async def target() -> AsyncIterator[Target]:
    """Open a target with the scenarios' namespace, empty."""
    if REAL:
        async with _real(REAL) as found:
            await _emptied(found)
            yield found
            await _emptied(found, again=False)
        return
    clock = Clock()
    settings = Settings(start_delay_s=None, controller_delay_s=0.0)
    chance = random.Random(36)  # names and uids
    async with (
        SimulatedCluster(settings, clock=clock, chance=chance) as cluster,
        aiohttp.ClientSession() as session,
    ):
        found = SimulatedTarget(session, cluster, clock)
        await found.must("POST", "/api/v1/namespaces", _namespace())
        yield found


@contextlib.asynccontextmanager
async def _real(path: str) -> AsyncIterator[Target]:
    await kubernetes_config.load_kube_config(config_file=path)
    async with ApiClient() as client:
        client.default_headers.update({"User-Agent": _USER_AGENT})
        headers: dict[str, str] = {}
        await client.update_params_for_auth(headers, [], ["BearerToken"])
        pool = client.rest_client.pool_manager
        pool.headers.update(headers)
        yield Target(pool, client.configuration.host)


async def _emptied(found: Target, *, again: bool = True) -> None:
    await found.send("DELETE", f"/api/v1/namespaces/{NAMESPACE}")
    async with asyncio.timeout(60):
        while True:
            answer = await found.send("GET", f"/api/v1/namespaces/{NAMESPACE}")
            if answer.status == 404:
                break
            await asyncio.sleep(0.2)
    if again:
        await found.must("POST", "/api/v1/namespaces", _namespace())


def _namespace() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def _parsed(text: str, kind: str, lines: bool) -> Any:
    if "json" not in kind:
        return {"text": text}
    return [json.loads(line) for line in text.splitlines() if line] if lines else json.loads(text)
