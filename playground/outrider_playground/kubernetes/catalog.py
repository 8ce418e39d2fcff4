"""Which resources one cluster serves at the moment: the built-in ones and those that its CustomResourceDefinitions add."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from .resources import Resource, builtin_resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Groups = dict[tuple[str, str], dict[str, Resource]]


@cache
def _builtin_groups() -> _Groups:
    return _grouped(builtin_resources())


def _grouped(resources: Iterable[Resource]) -> _Groups:
    groups: _Groups = {}
    for resource in resources:
        groups.setdefault((resource.group, resource.version), {})[resource.plural] = resource
    return groups


class Catalog:
    """The resources of one cluster, by group, version and name. Built-in ones are shared between clusters."""

    def __init__(self) -> None:
        self._custom: dict[str, tuple[Resource, ...]] = {}
        self._groups: _Groups = _builtin_groups()
        self.generation = 0
        """Grows with every change, so that what was made from the catalog can be kept until then."""
        self.listeners: list[Callable[[], None]] = []
        """Called after every change."""

    def define(self, definition: str, resources: tuple[Resource, ...]) -> None:
        """Serve the resources of a CustomResourceDefinition in place of those that it defined before; none at all removes it."""
        if resources:
            self._custom[definition] = resources
        else:
            self._custom.pop(definition, None)
        custom = [resource for defined in self._custom.values() for resource in defined]
        self._groups = _grouped([*builtin_resources(), *custom]) if custom else _builtin_groups()
        self.generation += 1
        for listener in self.listeners:
            listener()

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """Find a resource by its path."""
        return self._groups.get((group, version), {}).get(plural)

    def serves(self, resource: Resource) -> bool:
        """Tell whether a resource found earlier is still served, be it with another schema."""
        return self.find(resource.group, resource.version, resource.plural) is not None

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """Find a resource by what an object says of itself."""
        group, _, version = api_version.rpartition("/")
        served = self._groups.get((group, version), {})
        return next((resource for resource in served.values() if resource.kind == kind), None)

    def groups(self) -> list[str]:
        """List the groups that are served, the core group (an empty name) first."""
        return list(dict.fromkeys(group for group, _ in self._groups))

    def versions(self, group: str) -> list[str]:
        """List a group's versions, the preferred one first."""
        return [version for each, version in self._groups if each == group]

    def served(self, group: str, version: str) -> list[Resource]:
        """List the resources of a group and version by name."""
        return sorted(self._groups.get((group, version), {}).values(), key=lambda resource: resource.plural)

    def stored(self) -> list[Resource]:
        """List every resource once, in one version each."""
        seen: dict[tuple[str, str], Resource] = {}
        for resources in self._groups.values():
            for resource in resources.values():
                seen.setdefault(resource.storage, resource)
        return list(seen.values())
