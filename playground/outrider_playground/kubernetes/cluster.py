"""A simulated cluster: the object that tests, the demo and benchmarks hold."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .bootstrap import bootstrap, controllers_of
from .controllers.loop import ControllerLoop
from .custom.definitions import DEFINITIONS
from .faults import Faults
from .options import Call, Options
from .persistence import load, saved
from .serving.server import ApiServer
from .settings import Settings
from .state import State, utc_now
from .verbs.changing import existing, in_version
from .verbs.deleting import Deletion, delete
from .verbs.patching import MERGE_PATCH, patch, server_side_apply

if TYPE_CHECKING:
    import random
    from collections import Counter
    from collections.abc import Callable
    from datetime import datetime

    from .resources import Resource
    from .values import Manifest


class SimulatedCluster:
    """A Kubernetes API on a port of its own, with controllers that make workloads run.

    Use as `async with SimulatedCluster() as cluster`. `faults` may be changed at any time. Reading and writing through this object, as tests do,
    goes past HTTP and faults. `clock` tells the time that objects show; delays run on the event loop's clock. `state_file` keeps the objects
    from one run to the next.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        name: str = "simulated",
        clock: Callable[[], datetime] = utc_now,
        chance: random.Random | None = None,
        state_file: Path | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.name = name
        self.faults = Faults()
        self.state = State(clock, chance)
        self._state_file = state_file
        self._open = AsyncExitStack()
        self._host = host
        self._port = port
        self._server = ApiServer(self.state, self.faults)
        self.controllers = ControllerLoop(self.state, self.settings.controller_delay_s)
        self.controllers.add(*controllers_of(self.state, self.settings))

    async def __aenter__(self) -> Self:
        if self._state_file is not None:
            await asyncio.to_thread(load, self.state, self._state_file)
        bootstrap(self.state, self.settings)
        self.controllers.start()
        self.controllers.settle(
            DEFINITIONS.storage
        )  # what was defined before a restart is served from the start
        if self._state_file is not None:
            await self._open.enter_async_context(saved(self.state, self._state_file))
        await self._server.start(self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.controllers.stop()
        await self._server.stop()
        await self._open.aclose()
        if self.controllers.failure is not None:
            raise RuntimeError(f"a controller of cluster {self.name} failed") from self.controllers.failure

    @property
    def port(self) -> int:
        """The port that it listens on, the same after `go_down` and `come_back`."""
        return self._server.port

    @property
    def url(self) -> str:
        """Where it is served."""
        return f"http://{self._host}:{self.port}"

    @property
    def requests(self) -> Counter[tuple[str, str]]:
        """How many requests came in over HTTP, by verb and plural name; discovery counts as ("discover", path)."""
        return self._server.requests

    def kubeconfig(self) -> dict[str, Any]:
        """Return a kubeconfig for this cluster, with a user that may do everything."""
        named = {"name": self.name}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{**named, "cluster": {"server": self.url}}],
            "users": [{**named, "user": {"token": "simulated"}}],
            "contexts": [
                {**named, "context": {"cluster": self.name, "user": self.name, "namespace": "default"}}
            ],
            "current-context": self.name,
        }

    def write_kubeconfig(self, path: Path | str) -> Path:
        """Write a kubeconfig for this cluster; JSON is YAML."""
        target = Path(path)
        target.write_text(json.dumps(self.kubeconfig(), indent=2) + "\n", encoding="utf-8")
        return target

    async def go_down(self) -> None:
        """Refuse connections and cut those that are open. Objects and controllers go on."""
        await self._server.stop()

    async def come_back(self) -> None:
        """Listen again, on the same port."""
        await self._server.start(self._host, self.port)

    def expire_watches(self) -> None:
        """Drop the history: open watches end with 410, and a watch or page from an earlier version gets 410."""
        self.state.store.forget_history()
        for watch in list(self._server.watches):
            watch.expire()

    def drop_watches(self, *, cut: bool = True) -> int:
        """End all open watches, by cutting their connections or in order; return how many there were."""
        watches = list(self._server.watches)
        for watch in watches:
            watch.end(drop=cut)
        return len(watches)

    @property
    def open_watches(self) -> int:
        """How many watches are open."""
        return len(self._server.watches)

    def resource(self, kind: str, api_version: str = "v1") -> Resource:
        """Find a resource by kind. Raises KeyError if the cluster does not serve it."""
        found = self.state.catalog.of_kind(api_version, kind)
        if found is None:
            raise KeyError(f"{api_version} {kind} is not served")
        return found

    def objects(self, kind: str, api_version: str = "v1", namespace: str = "") -> list[Manifest]:
        """List the objects of a kind. They are shared: do not change them."""
        return self.state.store.listed(self.resource(kind, api_version).storage, namespace)

    def get(self, kind: str, name: str, namespace: str = "", api_version: str = "v1") -> Manifest | None:
        """Return an object, or None. It is shared: do not change it."""
        resource = self.resource(kind, api_version)
        found = self.state.store.get(resource.storage, (namespace, name))
        return in_version(Call(resource), found) if found is not None else None

    def apply(self, manifest: Manifest, manager: str = "test", *, force: bool = True) -> Manifest:
        """Apply an object as some manager does, with force unless told otherwise. Raises ApiError when refused."""
        call = self._call(manifest, manager, force=force)
        return server_side_apply(self.state, call, json.dumps(manifest).encode())[0]

    def edit(self, manifest: Manifest, change: dict[str, Any], manager: str = "test") -> Manifest:
        """Merge-patch the object that this manifest names: what someone with kubectl would do to make it drift."""
        return patch(self.state, self._call(manifest, manager), MERGE_PATCH, json.dumps(change).encode())[0]

    def delete(self, manifest: Manifest, policy: str = "Background") -> Manifest:
        """Delete the object that this manifest names."""
        return delete(self.state, self._call(manifest, "test"), Deletion(policy=policy))

    def read(self, manifest: Manifest) -> Manifest:
        """Return the live object that this manifest names. Raises ApiError when it is not there."""
        return existing(self.state, self._call(manifest, "test"))

    def _call(self, manifest: Manifest, manager: str, *, force: bool = False) -> Call:
        metadata = manifest["metadata"]
        resource = self.resource(manifest["kind"], manifest["apiVersion"])
        namespace = metadata.get("namespace", "default") if resource.namespaced else ""
        return Call(resource, namespace, metadata["name"], options=Options(manager=manager, force=force))
