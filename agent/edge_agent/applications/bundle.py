"""The first step of a pass: what is desired. The bundle is in memory only while a pass needs it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

from edge_agent.applications.state import Index, State
from edge_agent.cluster import Key, Kind, Object, UnknownKind
from edge_agent.diff import digest
from edge_agent.sync import Prepared, kinds_in, prepare

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from edge_agent.applications.surroundings import Surroundings


class Bundle:
    """An application's manifests for one pass: loaded and prepared when first asked for, dropped at its
    end.
    """

    def __init__(self, state: State, around: Surroundings) -> None:
        self._state = state
        self._around = around
        self._held = contextlib.AsyncExitStack()
        self._prepared: Prepared | None = None
        self._loading = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._prepared = None
        await self._held.aclose()

    async def manifests(self) -> Mapping[Key, Object]:
        """Return the manifests, ready to be applied."""
        return (await self._load()).manifests

    async def refresh_index(self) -> Index:
        """Return what is remembered of the bundle; prepare it where it is another one, or the cluster
        serves more kinds.
        """
        index, identity = self._state.index, self._identity()
        if index is None or index.identity != identity or await self._served_since(index):
            prepared = await self._load()
            index = self._state.index = Index(
                identity,
                {entry.key: entry for entry in prepared.entries},
                prepared.problems,
                prepared.repeated,
                frozenset(entry.kind for entry in prepared.entries if not self._known(entry.kind)),
            )
        return index

    def _identity(self) -> str:
        """What a sync is of: the bundle, and the settings that bear on what is applied."""
        desired, policy = self._state.desired, self._state.policy
        if desired is None:
            raise RuntimeError(f"{self._state.app} has nothing desired")
        rules = [rule.value for rule in policy.ignore]
        settings = [policy.namespace, policy.prune, sorted(policy.options.items()), rules]
        return f"{desired.digest}:{digest(settings).hex()}"

    async def _served_since(self, index: Index) -> bool:
        for kind in index.unserved:
            await self._learn(kind)
        return any(self._known(kind) for kind in index.unserved)

    async def _load(self) -> Prepared:
        """Load once, whoever asks."""
        async with self._loading:
            if self._prepared is None:
                self._prepared = await self._prepare()
            return self._prepared

    async def _prepare(self) -> Prepared:
        desired = self._state.desired
        if desired is None:
            raise RuntimeError(f"{self._state.app} has nothing desired")
        await self._held.enter_async_context(self._around.turn())
        manifests = await asyncio.to_thread(desired.manifests)
        for kind in sorted(kinds_in(manifests)):
            await self._learn(kind)
        return prepare(desired.app, manifests, self._state.policy, self._scope)

    async def _learn(self, kind: Kind) -> None:
        with contextlib.suppress(UnknownKind):
            await self._around.cluster.discovery.resource(kind)

    def _known(self, kind: Kind) -> bool:
        return self._around.cluster.discovery.known(kind) is not None

    def _scope(self, kind: Kind) -> bool | None:
        resource = self._around.cluster.discovery.known(kind)
        return resource.namespaced if resource else None
