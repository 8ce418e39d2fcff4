"""What the hub sets for a cluster as a whole: health scripts, actions, what diffs ignore, the time zone.

Comes as a signed record like any application's. What can't be read of it is left out, so that one wrong entry
takes nothing else with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ByKind = Mapping[str, Mapping[str, Any]]
"""By `<group>/<Kind>`, either of which may be a glob."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """The settings of this cluster; empty where nothing is set."""

    health: ByKind = field(default_factory=dict)
    """`{"lua": script, "openLibs": bool}`"""
    actions: ByKind = field(default_factory=dict)
    """`{"discovery": script, "definitions": [{"name", "lua"}]}`"""
    ignore_differences: ByKind = field(default_factory=dict)
    """`{"jsonPointers", "jqPathExpressions", "managedFieldsManagers"}`"""
    time_zone: str = ""
    """An IANA name; empty: not set."""

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> ClusterSettings:
        """Read a settings record's spec; fields that aren't known, or aren't maps, are left out."""
        zone = spec.get("timeZone")
        return cls(
            health=_by_kind(spec.get("health")),
            actions=_by_kind(spec.get("actions")),
            ignore_differences=_by_kind(spec.get("ignoreDifferences")),
            time_zone=zone if isinstance(zone, str) else "",
        )


def _by_kind(value: Any) -> ByKind:
    if not isinstance(value, Mapping):
        return {}
    return {str(kind): entry for kind, entry in value.items() if isinstance(entry, Mapping)}
