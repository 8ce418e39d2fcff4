"""Change objects: replace them, and what every change goes through."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ..errors import Cause, bad_request, invalid, modified, not_found, precondition_failed
from ..managed_fields import Managers, Writer, after_update, read, unmanaged, with_managers
from ..rules import Rules, rules_of
from ..rules.metadata import metadata_causes, metadata_update_causes
from .bodies import check_kind, read_manifest
from .creating import ignored_fields

if TYPE_CHECKING:
    from ..options import Call
    from ..state import State
    from ..values import Manifest

_KEPT: Final = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "generation",
    "generateName",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
)
"""Metadata that no write changes."""


def existing(state: State, call: Call) -> Manifest:
    """Return the object that a call is about, in the version of the call. Raises ApiError (404)."""
    live = state.store.get(call.resource.storage, call.key)
    if live is None:
        raise not_found(call.resource, call.name)
    return in_version(call, live)


def in_version(call: Call, manifest: Manifest) -> Manifest:
    """Return an object as the call's version of its resource shows it."""
    if manifest["apiVersion"] == call.resource.api_version:
        return manifest
    return {**manifest, "apiVersion": call.resource.api_version}


def update(state: State, call: Call, value: Manifest) -> Manifest:
    """Replace an object. Raises ApiError when that is refused."""
    check_kind(call, value)
    metadata = value.get("metadata") or {}
    if metadata.get("name") != call.name:
        raise bad_request(
            f"the name of the object ({metadata.get('name', '')}) does not match the name on the URL ({call.name})"
        )
    if metadata.get("namespace") not in {None, "", call.namespace}:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    live = existing(state, call)
    if call.resource.custom is not None and not metadata.get("resourceVersion"):
        problem = Cause(
            "FieldValueInvalid",
            "Invalid value: 0: must be specified for an update",
            "metadata.resourceVersion",
        )
        raise invalid(call.resource.kind, call.resource.group, call.name, [problem])
    return write(state, call, live, value)


def write(state: State, call: Call, live: Manifest, value: Manifest) -> Manifest:
    """Turn the live object into the one given, by a plain write."""
    check_version(call, live, value)
    return write_read(state, call, live, read_manifest(call, value))


def write_read(state: State, call: Call, live: Manifest, value: Manifest) -> Manifest:
    """Turn the live object into one that was decoded already, by a plain write."""
    new = partitioned(call, live, value)
    writer = Writer(call.options.manager, call.resource.api_version, state.now(), call.subresource)
    managers = _managers_after(call, live, new, writer)
    return store_changed(state, call, live, new, managers)


def check_version(call: Call, live: Manifest, value: Manifest) -> None:
    """Refuse a write that names another uid, or was made from an older version."""
    metadata = value.get("metadata") or {}
    uid, version = metadata.get("uid"), metadata.get("resourceVersion")
    if uid and uid != live["metadata"]["uid"]:
        problem = (
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {live['metadata']['uid']}"
        )
        raise precondition_failed(call.resource, call.name, problem)
    if version and version != live["metadata"]["resourceVersion"]:
        raise modified(call.resource, call.name)


def _managers_after(call: Call, live: Manifest, new: Manifest, writer: Writer) -> Managers:
    given = new["metadata"].get("managedFields")
    if given is not None and (not given or given == [{}]) and not call.subresource:
        return {}
    managers = read(new) or read(live)
    if not managers:
        return {}
    return after_update(call.resource.schema, live, new, managers, writer)


def partitioned(call: Call, live: Manifest, new: Manifest) -> Manifest:
    """Take from the live object what this path can't write: status through the resource, all else through a subresource."""
    if call.subresource in {"", "scale"}:
        if not ignored_fields(call.resource):
            return new
        return _with(new, "status", live)
    if call.resource.custom is not None:
        metadata = {**live["metadata"], "managedFields": new["metadata"].get("managedFields")}
        return _with({**live, "metadata": metadata}, "status", new)
    if call.subresource in {"status", "approval"}:
        return _status_written(call, live, new)
    return _with(new, "status", live)


def _status_written(call: Call, live: Manifest, new: Manifest) -> Manifest:
    metadata = dict(new["metadata"])
    if call.resource.storage == ("apps", "deployments"):
        metadata.pop("labels", None)
        if "labels" in live["metadata"]:
            metadata["labels"] = live["metadata"]["labels"]
    return _with({**live, "metadata": metadata}, "status", new)


def _with(manifest: Manifest, field: str, source: Manifest) -> Manifest:
    out = {key: value for key, value in manifest.items() if key != field}
    if field in source:
        out[field] = source[field]
    return out


def store_changed(state: State, call: Call, live: Manifest, new: Manifest, managers: Managers) -> Manifest:
    """Give a changed object what the server sets, check it, and keep it unless nothing changed after all."""
    resource = call.resource
    rules = rules_of(resource.storage, custom=resource.custom is not None)
    new = {**new, "apiVersion": resource.api_version, "kind": resource.kind}
    new["metadata"] = _kept_metadata(live, new["metadata"])
    if not call.subresource:
        rules.keep(state, new, live)
    if rules.generation and call.subresource != "status" and _counts(rules, live, new):
        new["metadata"]["generation"] = live["metadata"].get("generation", 0) + 1
    causes = _causes(call, rules, live, new)
    if causes:
        raise invalid(resource.kind, resource.group, call.name, causes)
    made = _settled(live, new, managers)
    if made is live or call.options.dry_run:
        return made
    if released(made):
        state.store.drop(resource.storage, call.key)
        return made
    return state.store.put(resource.storage, call.key, made)


def _kept_metadata(live: Manifest, metadata: Manifest) -> Manifest:
    kept = live["metadata"]
    out = {key: value for key, value in metadata.items() if key not in _KEPT and key != "managedFields"}
    out |= {key: kept[key] for key in _KEPT if key in kept}
    out["resourceVersion"] = kept["resourceVersion"]
    return out


def _counts(rules: Rules, live: Manifest, new: Manifest) -> bool:
    if rules.annotations_count and live["metadata"].get("annotations") != new["metadata"].get("annotations"):
        return True
    aside = ("metadata", "status", "apiVersion")
    return {key: value for key, value in live.items() if key not in aside} != {
        key: value for key, value in new.items() if key not in aside
    }


def _causes(call: Call, rules: Rules, live: Manifest, new: Manifest) -> list[Cause]:
    causes = [*metadata_causes(call.resource, new), *metadata_update_causes(live, new)]
    if not call.subresource:
        causes += [*rules.causes(new), *rules.change_causes(live, new)]
    if call.resource.custom is not None:
        causes += call.resource.custom.causes(new)
    return causes


def _settled(live: Manifest, new: Manifest, managers: Managers) -> Manifest:
    """Return the live object itself if all that would change is when somebody wrote what was there before."""
    if unmanaged(new) != unmanaged(live):
        return with_managers(new, managers)
    before = read(live)
    if _timeless(before) == _timeless(managers):
        return live
    return with_managers(new, managers)


def _timeless(managers: Managers) -> dict[Any, Any]:
    return {manager: replace(owned, time="") for manager, owned in managers.items()}


def released(manifest: Manifest) -> bool:
    """Tell whether nothing holds an object back any longer from a deletion that was asked for."""
    metadata = manifest["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if manifest["kind"] == "Namespace" and manifest["apiVersion"] == "v1":
        return not manifest["spec"].get("finalizers")
    return not metadata.get("deletionGracePeriodSeconds")
