"""Which kinds the cluster serves, and where.

The whole table is read at the first question, in two requests (aggregated discovery). A kind that isn't in it
is asked for by its own group and version, so that a CustomResourceDefinition of a second ago is found, and a
group whose server is down (an aggregated API) fails alone. `forget` is for a definition that changed or went.

Only what an apply, a watch and a delete need is kept of each kind.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from edge_agent.cluster.errors import NotFound, UnknownKind
from edge_agent.cluster.names import Kind, Resource

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
Ask = Callable[[str, str], Awaitable[Any]]
"""Gets a path with an Accept header: JSON, or a `ClusterError`."""


class Discovery:
    """The table of kinds; filled when first asked."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._table: dict[Kind, Resource] = {}
        self._whole: bool = False
        self._reading = asyncio.Lock()

    async def resource(self, kind: Kind) -> Resource:
        """Return where objects of a kind are. Raises `UnknownKind` when the cluster serves none such."""
        found = self._table.get(kind)
        if found is not None:
            return found
        await self._read_once()
        if kind not in self._table:
            await self._read_version(kind)
        return self._table[kind]

    def known(self, kind: Kind) -> Resource | None:
        """Return where objects of a kind are, if that was learned already."""
        return self._table.get(kind)

    async def everything(self) -> list[Resource]:
        """Return every kind that can be listed and watched, each group's preferred version only, read
        anew.
        """
        async with self._reading:
            self._whole = False
        await self._read_once()
        preferred: dict[tuple[str, str], Resource] = {}
        for resource in self._table.values():
            if resource.watchable:
                preferred.setdefault((resource.kind.group, resource.kind.kind), resource)
        return list(preferred.values())

    def forget(self, group: str) -> None:
        """Drop what is known of a group: one of its definitions changed."""
        for kind in [kind for kind in self._table if kind.group == group]:
            del self._table[kind]

    async def _read_once(self) -> None:
        async with self._reading:
            if self._whole:
                return
            for path in ("/api", "/apis"):
                answer = await self._ask(path, f"{AGGREGATED},application/json")
                if answer.get("kind") == "APIGroupDiscoveryList":
                    self._table.update((resource.kind, resource) for resource in aggregated(answer))
                else:
                    await self._read_each(answer)
            self._whole = True

    async def _read_each(self, answer: Mapping[str, Any]) -> None:
        """Read group by group, from a server that doesn't aggregate. A group that fails is asked for again
        when needed.
        """
        versions = [("", version) for version in answer.get("versions", ())]
        for group in answer.get("groups", ()):
            versions += [(group["name"], entry["version"]) for entry in group.get("versions", ())]
        for group, version in versions:
            path = f"/apis/{group}/{version}" if group else f"/api/{version}"
            try:
                listed = await self._ask(path, "application/json")
            except (NotFound, UnknownKind):
                continue
            self._table.update((resource.kind, resource) for resource in version_list(group, version, listed))

    async def _read_version(self, kind: Kind) -> None:
        path = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        try:
            listed = await self._ask(path, "application/json")
        except (NotFound, UnknownKind):
            listed = {}
        self._table.update(
            (resource.kind, resource) for resource in version_list(kind.group, kind.version, listed)
        )
        if kind not in self._table:
            raise UnknownKind(
                str(kind), "the cluster serves no such kind; is its CustomResourceDefinition installed?"
            )


def aggregated(answer: Mapping[str, Any]) -> Iterable[Resource]:
    """Yield the resources of an aggregated discovery document, preferred versions of a group first."""
    for group in answer.get("items", ()):
        name = str((group.get("metadata") or {}).get("name") or "")
        for version in group.get("versions", ()):
            for entry in version.get("resources", ()):
                kind = (entry.get("responseKind") or {}).get("kind")
                if kind:
                    namespaced = entry.get("scope") == "Namespaced"
                    yield _resource(
                        name, version["version"], kind, entry["resource"], namespaced, entry.get("verbs")
                    )


def version_list(group: str, version: str, answer: Mapping[str, Any]) -> Iterable[Resource]:
    """Yield the resources of one group and version's list, without subresources."""
    for entry in answer.get("resources", ()):
        if "/" not in entry["name"]:
            yield _resource(
                group, version, entry["kind"], entry["name"], bool(entry["namespaced"]), entry.get("verbs")
            )


# The same dozen of verb sets stands for every kind of every group.
_VERBS: dict[frozenset[str], frozenset[str]] = {}


def _resource(
    group: str, version: str, kind: str, plural: str, namespaced: bool, verbs: Iterable[str] | None
) -> Resource:
    name = Kind(sys.intern(group), sys.intern(version), sys.intern(kind))
    held = frozenset(sys.intern(verb) for verb in verbs or ())
    return Resource(name, sys.intern(plural), namespaced, _VERBS.setdefault(held, held))
