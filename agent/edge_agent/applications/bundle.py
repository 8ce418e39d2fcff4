"""The first step of a pass: what is desired. The bundle is in memory only while a pass needs it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

from edge_agent.applications.state import Index, State, set_error
from edge_agent.cluster import Key, Kind, Object, UnknownKind
from edge_agent.diff import digest
from edge_agent.sync import Prepared, kinds_in, prepare
from edge_agent.sync.project import Project
from outrider.manifests.phases import DELETE_PHASES

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
        """Return the manifests, ready to be applied. Raises `BundleLost`."""
        return (await self._load()).manifests

    async def hook_manifests(self) -> Mapping[str, Object]:
        """Return the hooks' manifests, by hook id."""
        return (await self._load()).hook_manifests

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
                frozenset(kind for kind in _kinds(prepared) if not self._known(kind)),
                prepared.hooks,
            )
            self._note_end(prepared)
        return index

    def _identity(self) -> str:
        """What a sync is of: the bundle, and the settings that bear on what is applied."""
        desired, policy = self._state.desired, self._state.policy
        if desired is None:
            raise RuntimeError(f"{self._state.app} has nothing desired")
        rules = [rule.value for rule in policy.ignore]
        project = repr(Project.of(desired.spec))
        settings = [policy.namespace, policy.prune, sorted(policy.options.items()), rules, project]
        return f"{desired.digest}:{digest(settings).hex()}"

    def _note_end(self, prepared: Prepared) -> None:
        """Keep what the application's end will need: bundle and spec may be gone by then."""
        progress, desired = self._state.progress, self._state.desired
        if progress is None or desired is None:
            return
        project = Project.of(desired.spec)
        progress.delete_hooks = {
            hook.id: prepared.hook_manifests[hook.id]
            for hook in prepared.hooks
            if hook.phase in DELETE_PHASES and not project.refusal(hook.key)
        }
        progress.sync_options = dict(self._state.policy.options)

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
        set_error(self._state, "BundleError", "")
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


def _kinds(prepared: Prepared) -> set[Kind]:
    return {entry.kind for entry in prepared.entries} | {hook.kind for hook in prepared.hooks}
