"""What the tests of the simulated cluster use: manifests, clients, and waiting for conditions."""

from __future__ import annotations

import asyncio
import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp

    from outrider_playground.kubernetes import SimulatedCluster

PATIENCE_S = 30.0
"""How long a condition is awaited; a test that passes does not take it."""

NAMESPACE = "default"


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


@dataclass(frozen=True)
class Kubectl:
    """Runs kubectl."""

    program: str
    environment: dict[str, str]

    async def __call__(self, *words: str, text: str = "", fails: bool = False) -> str:
        """Run a command and return what it wrote, to both streams; it must succeed, or fail where that is expected."""
        process = await asyncio.create_subprocess_exec(
            self.program,
            *words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
        )
        written, _ = await process.communicate(text.encode())
        shown = written.decode()
        assert (process.returncode != 0) is fails, f"kubectl {' '.join(words)}: {shown}"
        return shown

    async def json(self, *words: str) -> Any:
        """Run a command that answers in JSON."""
        return json.loads(await self(*words, "-o", "json"))


@dataclass(frozen=True)
class Http:
    """Plain HTTP."""

    session: aiohttp.ClientSession
    url: str

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "*/*",
    ) -> tuple[int, Any]:
        """Send a request; return status and JSON."""
        headers = {"Content-Type": content_type, "Accept": accept}
        data = json.dumps(body) if body is not None else None
        async with self.session.request(method, self.url + path, data=data, headers=headers) as response:
            text = await response.text()
            return response.status, json.loads(text) if "json" in response.content_type else text

    def watch(self, path: str) -> Watching:
        """Watch a path."""
        return Watching(self.session, f"{self.url}{path}{'&' if '?' in path else '?'}watch=true")


class Watching:
    """An open watch."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> Self:
        self._response = await self._session.get(self._url)
        assert self._response.status == 200
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._response is not None
        self._response.close()

    async def next(self) -> tuple[str, dict[str, Any]]:
        """Return the next event. Raises EOFError at the watch's end."""
        assert self._response is not None
        async with asyncio.timeout(PATIENCE_S):
            line = await self._response.content.readline()
        if not line:
            raise EOFError
        event = json.loads(line)
        return event["type"], event["object"]


def config_map(name: str, data: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    """Return a ConfigMap."""
    head = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": NAMESPACE, **metadata},
    }
    return {**head, "data": data or {"a": "1"}}


def template(app: str, image: str = "web:1", **spec: Any) -> dict[str, Any]:
    """Return a pod template with one container."""
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {"containers": [{"name": "main", "image": image}], **spec},
    }


def workload(kind: str, name: str, image: str = "web:1", **spec: Any) -> dict[str, Any]:
    """Return a Deployment, StatefulSet or DaemonSet."""
    whole = {"selector": {"matchLabels": {"app": name}}, "template": template(name, image), **spec}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": whole,
    }


def job(name: str, image: str = "task:1", **spec: Any) -> dict[str, Any]:
    """Return a Job."""
    pod = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": image}]}}
    head = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": NAMESPACE}}
    return {**head, "spec": {"template": pod, **spec}}


def status(cluster: SimulatedCluster, manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the live status of an object."""
    found: dict[str, Any] = cluster.read(manifest)["status"]
    return found


def turned(found: dict[str, Any], kind: str) -> tuple[str, str] | None:
    """Return a condition's status and reason."""
    for each in found.get("conditions") or ():
        if each["type"] == kind:
            return each["status"], each.get("reason", "")
    return None


def definition(plural: str = "widgets", kind: str = "Widget") -> dict[str, Any]:
    """Return a CustomResourceDefinition with status and scale."""
    spec = {
        "type": "object",
        "properties": {"replicas": {"type": "integer", "default": 1}, "color": {"type": "string"}},
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
        "additionalPrinterColumns": [{"name": "Color", "type": "string", "jsonPath": ".spec.color"}],
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {
                    "spec": spec,
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        },
    }
    names = {"plural": plural, "kind": kind, "singular": kind.lower(), "shortNames": [plural[:2]]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]},
    }
