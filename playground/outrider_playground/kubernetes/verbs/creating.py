"""Create objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import (
    Cause,
    already_exists,
    bad_request,
    forbidden,
    invalid,
    not_found,
)
from ..field_sets import Fields, from_paths
from ..managed_fields import Managers, Writer, after_update, unmanaged, with_managers
from ..resources import builtin
from ..rules import rules_of
from ..rules.metadata import metadata_causes
from .bodies import check_kind, empty_like, read_manifest

if TYPE_CHECKING:
    from ..options import Call
    from ..resources import Resource
    from ..state import State
    from ..values import Manifest

STATUS_ONLY: Final = from_paths(("status",))
_LONGEST_PREFIX: Final = 58
"""Of a generated name of 63."""

_STATUS_ON_CREATE: Final = {("", "nodes"), ("", "componentstatuses")}
"""Built-in resources whose status may come with their creation."""


def ignored_fields(resource: Resource) -> Fields:
    """Return what a write to the resource itself can't touch."""
    return STATUS_ONLY if resource.has_status and resource.storage not in _STATUS_ON_CREATE else {}


def create(state: State, call: Call, value: Manifest) -> Manifest:
    """Create an object. Raises ApiError when it is refused."""
    check_kind(call, value)
    metadata = value.get("metadata") or {}
    _check_place(call, metadata)
    manifest = read_new(call, value)
    writer = Writer(
        call.options.manager, call.resource.api_version, state.now(), ignored=ignored_fields(call.resource)
    )
    managers: Managers = {}
    if manifest["metadata"].get("managedFields") != []:
        managers = after_update(call.resource.schema, empty_like(call), manifest, {}, writer)
    return store_new(state, call, manifest, managers)


def _check_place(call: Call, metadata: Manifest) -> None:
    namespace = metadata.get("namespace")
    if namespace and namespace != call.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def store_new(state: State, call: Call, manifest: Manifest, managers: Managers) -> Manifest:
    """Give a decoded object what the server sets, check it and keep it."""
    resource, rules = call.resource, rules_of(call.resource.storage, custom=call.resource.custom is not None)
    metadata = manifest["metadata"]
    if metadata.get("resourceVersion"):
        raise bad_request("resourceVersion should not be set on objects to be created")
    check_namespace(state, call, metadata.get("name") or metadata.get("generateName", ""))
    manifest["metadata"] = _new_metadata(state, call, metadata, counted=rules.generation)
    rules.prepare(state, manifest)
    causes = [*metadata_causes(resource, manifest), *rules.causes(manifest)]
    if resource.custom is not None:
        causes += resource.custom.causes(manifest)
    name = manifest["metadata"].get("name", "")
    if causes:
        raise invalid(resource.kind, resource.group, name, causes)
    key = (call.namespace, name)
    if state.store.get(resource.storage, key) is not None:
        raise already_exists(resource, name)
    made = with_managers(unmanaged(manifest), managers)
    return made if call.options.dry_run else state.store.put(resource.storage, key, made)


def _new_metadata(state: State, call: Call, given: Manifest, *, counted: bool) -> Manifest:
    metadata = dict(given)
    for field in (
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "managedFields",
    ):
        metadata.pop(field, None)
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"][:_LONGEST_PREFIX] + state.name_suffix()
    if call.resource.namespaced:
        metadata["namespace"] = call.namespace
    else:
        metadata.pop("namespace", None)
    metadata |= {"uid": state.new_uid(), "creationTimestamp": state.now()}
    if counted:
        metadata["generation"] = 1
    return metadata


def read_new(call: Call, value: Manifest) -> Manifest:
    """Decode an object that is to be created; its status begins empty, where it is written through a path of its own."""
    if ignored_fields(call.resource):
        value = {key: part for key, part in value.items() if key != "status"}
    return read_manifest(call, value)


def check_namespace(state: State, call: Call, name: str) -> None:
    """Refuse to create in a namespace that does not exist or is being deleted."""
    if not call.resource.namespaced:
        return
    namespaces = builtin("v1", "Namespace")
    namespace = state.store.get(namespaces.storage, ("", call.namespace))
    if namespace is None:
        raise not_found(namespaces, call.namespace)
    if namespace["metadata"].get("deletionTimestamp"):
        cause = Cause(
            "NamespaceTerminating", f"namespace {call.namespace} is being terminated", "metadata.namespace"
        )
        problem = f"unable to create new content in namespace {call.namespace} because it is being terminated"
        raise forbidden(call.resource, name, problem, [cause])
