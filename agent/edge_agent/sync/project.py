"""What an application's project lets it touch on this cluster. Pure.

The hub sends along what the AppProject restricts, already filtered to this cluster; a list that is absent
restricts nothing, an empty one lets nothing through. Checked at every write, here too: what runs on a cluster is
decided on the cluster, by a signed record.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_agent.cluster.names import Key


@dataclass(frozen=True, slots=True)
class Rule:
    """A group and kind, and for cluster-scoped objects a name; each may be a glob."""

    group: str
    kind: str
    name: str = "*"

    def covers(self, key: Key) -> bool:
        """Say whether an object is meant."""
        return (
            fnmatch.fnmatchcase(key.group, self.group)
            and fnmatch.fnmatchcase(key.kind, self.kind)
            and fnmatch.fnmatchcase(key.name, self.name)
        )


@dataclass(frozen=True, slots=True)
class Project:
    """A project's lists. None: no such list."""

    name: str = ""
    cluster_allowed: tuple[Rule, ...] | None = None
    cluster_denied: tuple[Rule, ...] = ()
    allowed: tuple[Rule, ...] | None = None
    denied: tuple[Rule, ...] = ()
    namespaces: tuple[str, ...] | None = None
    """Globs; one that begins with `!` denies."""

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Project:
        """Read it from an application's spec; one without a restriction restricts nothing."""
        found = spec.get("project")
        if not isinstance(found, Mapping):
            return cls()
        namespaces = found.get("namespaces")
        return cls(
            str(found.get("name") or ""),
            _rules(found.get("clusterResourceWhitelist")),
            _rules(found.get("clusterResourceBlacklist")) or (),
            _rules(found.get("namespaceResourceWhitelist")),
            _rules(found.get("namespaceResourceBlacklist")) or (),
            None if namespaces is None else tuple(str(glob) for glob in namespaces),
        )

    def refusal(self, key: Key) -> str:
        """Return why an object may not be touched; empty: it may."""
        kind = f"{key.group}/{key.kind}" if key.group else key.kind
        if key.namespace:
            allowed, denied, lists = self.allowed, self.denied, "namespaceResource"
        else:
            allowed, denied, lists = self.cluster_allowed, self.cluster_denied, "clusterResource"
        if any(rule.covers(key) for rule in denied):
            return f"{self._title} forbids {kind} ({lists}Blacklist)"
        if allowed is not None and not any(rule.covers(key) for rule in allowed):
            return f"{self._title} doesn't allow {kind} ({lists}Whitelist)"
        if key.namespace and not self._takes(key.namespace):
            return f"{self._title} doesn't allow namespace {key.namespace} of this cluster (destinations)"
        return ""

    @property
    def _title(self) -> str:
        return f"project {self.name}" if self.name else "the project"

    def _takes(self, namespace: str) -> bool:
        if self.namespaces is None:
            return True
        denied = (glob[1:] for glob in self.namespaces if glob.startswith("!"))
        allowed = (glob for glob in self.namespaces if not glob.startswith("!"))
        return not _matches(namespace, denied) and _matches(namespace, allowed)


def _matches(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)


def _rules(found: Any) -> tuple[Rule, ...] | None:
    if not isinstance(found, Iterable) or isinstance(found, str | Mapping):
        return None
    return tuple(
        Rule(str(rule.get("group") or ""), str(rule.get("kind") or ""), str(rule.get("name") or "*"))
        for rule in found
        if isinstance(rule, Mapping)
    )
