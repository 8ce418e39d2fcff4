"""Who owns which field: `metadata.managedFields` read, kept up to date by plain writes, and written back.

A manager is known by its name, operation, subresource and, for plain writes, API version. What a plain write changes becomes its manager's and
is taken from all others. The rules are those of the Kubernetes field manager (KEP 555).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from .comparing import Comparison, compare
from .field_sets import Fields, difference, from_paths, intersection, union

if TYPE_CHECKING:
    from .schema import Schema
    from .values import Manifest

STRIPPED: Final = from_paths(
    ("apiVersion",),
    ("kind",),
    ("metadata",),
    *(
        ("metadata", name)
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    ),
)
"""What nobody owns."""

MAX_UPDATE_MANAGERS: Final = 10
"""Beyond so many plain writers, the oldest are folded into one entry."""

APPLY: Final = "Apply"
UPDATE: Final = "Update"


@dataclass(frozen=True, slots=True)
class Manager:
    """Who writes. `api_version` is empty for appliers: they keep their fields from one version to the next."""

    name: str
    operation: str = UPDATE
    api_version: str = ""
    subresource: str = ""

    def shown(self) -> str:
        """Name the manager as conflict messages do."""
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


@dataclass(frozen=True, slots=True)
class Owned:
    """What a manager owns. `time` is RFC 3339, or empty when its last write changed nothing."""

    fields: Fields
    api_version: str
    time: str = ""


Managers = dict[Manager, Owned]


@dataclass(frozen=True, slots=True)
class Writer:
    """One write: by whom, when, through which subresource; what it can't touch is `ignored`."""

    manager: str
    api_version: str
    time: str
    subresource: str = ""
    ignored: Fields | None = None

    def identity(self, operation: str) -> Manager:
        """Return who this writer is among the managers."""
        return Manager(
            self.manager, operation, self.api_version if operation == UPDATE else "", self.subresource
        )


def read(manifest: Manifest) -> Managers:
    """Read an object's managers."""
    out: Managers = {}
    for entry in manifest.get("metadata", {}).get("managedFields") or ():
        operation = entry.get("operation", UPDATE)
        version = entry.get("apiVersion", "")
        manager = Manager(
            entry.get("manager", ""),
            operation,
            version if operation == UPDATE else "",
            entry.get("subresource", ""),
        )
        out[manager] = Owned(entry.get("fieldsV1") or {}, version, entry.get("time", ""))
    return out


def written(managers: Managers) -> list[dict[str, Any]]:
    """Write the managers as `metadata.managedFields`: appliers first, then by time and name."""
    ordered = sorted(
        managers.items(),
        key=lambda item: (
            item[0].operation,
            item[1].time,
            item[0].name,
            item[1].api_version,
            item[0].subresource,
        ),
    )
    return [_entry(manager, owned) for manager, owned in ordered]


def _entry(manager: Manager, owned: Owned) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": owned.api_version,
    }
    if owned.time:
        entry["time"] = owned.time
    entry["fieldsType"] = "FieldsV1"
    entry["fieldsV1"] = owned.fields
    if manager.subresource:
        entry["subresource"] = manager.subresource
    return entry


def unmanaged(manifest: Manifest) -> Manifest:
    """Return the object without its managed fields."""
    metadata = manifest.get("metadata")
    if not metadata or "managedFields" not in metadata:
        return manifest
    return {**manifest, "metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}


def with_managers(manifest: Manifest, managers: Managers) -> Manifest:
    """Return the object with these managers in place of those it names."""
    bare = unmanaged(manifest)
    if not managers:
        return bare
    return {**bare, "metadata": {**bare.get("metadata", {}), "managedFields": written(managers)}}


def after_update(
    schema: Schema, live: Manifest, new: Manifest, managers: Managers, writer: Writer
) -> Managers:
    """Return the managers after a plain write turned the live object into the new one."""
    comparison = compare(schema, unmanaged(live), unmanaged(new)).ignoring(writer.ignored or {})
    remaining = released(managers, comparison, keep=None)
    taken = difference(comparison.changed, STRIPPED)
    if taken:
        me = writer.identity(UPDATE)
        before = remaining.get(me)
        fields = union(before.fields, taken) if before is not None else taken
        remaining[me] = Owned(fields, writer.api_version, writer.time)
    return _capped(remaining)


def released(managers: Managers, comparison: Comparison, keep: Manager | None) -> Managers:
    """Take what a write changed or removed from all managers but one; a manager that is left with nothing goes."""
    changed, removed = comparison.changed, comparison.removed
    if not changed and not removed:
        return dict(managers)
    out: Managers = {}
    for manager, owned in managers.items():
        fields = owned.fields
        if manager != keep:
            fields = difference(difference(fields, changed), removed)
        if fields:
            out[manager] = owned if fields is owned.fields else replace(owned, fields=fields)
    return out


def conflicts(managers: Managers, comparison: Comparison, writer: Manager) -> dict[Manager, Fields]:
    """Return per other manager which of its fields a write changes."""
    changed = comparison.changed
    if not changed:
        return {}
    found = {
        manager: intersection(owned.fields, changed)
        for manager, owned in managers.items()
        if manager != writer
    }
    return {manager: fields for manager, fields in found.items() if fields}


def _capped(managers: Managers) -> Managers:
    updaters = [manager for manager in managers if manager.operation == UPDATE]
    if len(updaters) <= MAX_UPDATE_MANAGERS:
        return managers
    updaters.sort(key=lambda manager: (managers[manager].time, manager.name))
    out = dict(managers)
    for manager in updaters[: len(updaters) - MAX_UPDATE_MANAGERS + 1]:
        owned = out.pop(manager)
        ancient = Manager("ancient-changes", UPDATE, owned.api_version)
        before = out.get(ancient)
        out[ancient] = replace(owned, fields=union(before.fields, owned.fields) if before else owned.fields)
    return out
