"""Read objects and lists of them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..errors import bad_request, expired, too_large_version
from ..selectors import (
    FieldRequirement,
    Selector,
    SelectorError,
    fields_match,
    matches,
    parse_field_selector,
    parse_label_selector,
)
from .changing import in_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..options import Call
    from ..state import State
    from ..values import Manifest

_EVERYWHERE: Final = ("metadata.name", "metadata.namespace")
_FIELDS: Final = {
    ("", "pods"): (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    ("", "events"): (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    ("", "namespaces"): ("status.phase",),
    ("", "nodes"): ("spec.unschedulable",),
    ("", "secrets"): ("type",),
    ("", "services"): ("spec.clusterIP", "spec.type"),
    ("", "replicationcontrollers"): ("status.replicas",),
    ("apps", "replicasets"): ("status.replicas",),
    ("batch", "jobs"): ("status.successful",),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which objects a list or watch is about."""

    namespace: str = ""
    labels: Selector = ()
    fields: tuple[FieldRequirement, ...] = ()

    def matches(self, manifest: Manifest) -> bool:
        """Tell whether an object is one of them."""
        metadata = manifest["metadata"]
        if self.namespace and metadata.get("namespace") != self.namespace:
            return False
        return matches(self.labels, metadata.get("labels")) and fields_match(self.fields, manifest)

    @property
    def selects(self) -> bool:
        """Whether anything but the namespace narrows it."""
        return bool(self.labels or self.fields)


def wanted_by(call: Call, query: Mapping[str, str]) -> Wanted:
    """Read the selectors of a query. Raises ApiError (400) for ones that can't be read or name unknown fields."""
    try:
        labels = parse_label_selector(query.get("labelSelector", ""))
        fields = parse_field_selector(query.get("fieldSelector", ""))
    except SelectorError as error:
        raise bad_request(str(error)) from None
    known = (*_EVERYWHERE, *_FIELDS.get(call.resource.storage, ()))
    if call.resource.custom is not None:
        known = _EVERYWHERE
    for requirement in fields:
        if requirement.path not in known:
            listed = ", ".join(f'"{each}"' for each in _EVERYWHERE)
            raise bad_request(f'"{requirement.path}" is not a known field selector: only {listed}')
    if call.name:
        fields = (*fields, FieldRequirement("metadata.name", call.name, True))
    return Wanted(call.namespace, labels, fields)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a list: its version, the objects, and what to ask next with."""

    version: int
    items: list[Manifest]
    next_token: str = ""
    remaining: int | None = None

    def metadata(self) -> dict[str, Any]:
        """Return the metadata of the list."""
        out: dict[str, Any] = {"resourceVersion": str(self.version)}
        if self.next_token:
            out["continue"] = self.next_token
            if self.remaining is not None:
                out["remainingItemCount"] = self.remaining
        return out


def list_page(state: State, call: Call, query: Mapping[str, str]) -> Page:
    """List objects, or one page of them. Raises ApiError (400, 410) for tokens that are none or too old."""
    wanted = wanted_by(call, query)
    limit = _number(query.get("limit", ""), "limit")
    token = query.get("continue", "")
    version, start = _read_token(token) if token else (_version(state, query), ("", ""))
    manifests = _objects(
        state, call, version, exact=bool(token) or query.get("resourceVersionMatch") == "Exact"
    )
    if version == 0:
        version = state.store.version
    if not token and query.get("resourceVersionMatch") != "Exact":
        version = state.store.version
    found = [in_version(call, each) for each in manifests if _place(each) > start and wanted.matches(each)]
    if not limit or len(found) <= limit:
        return Page(version, found)
    page = found[:limit]
    remaining = None if wanted.selects else len(found) - limit
    return Page(version, page, _token(version, _place(page[-1])), remaining)


def _objects(state: State, call: Call, version: int, *, exact: bool) -> list[Manifest]:
    store, storage = state.store, call.resource.storage
    if not exact or version in {0, store.version}:
        return store.listed(storage, call.namespace)
    return store.at(storage, call.namespace, version)


def _version(state: State, query: Mapping[str, str]) -> int:
    """Return the version that a list asks for, 0 for any."""
    given = query.get("resourceVersion", "")
    match = query.get("resourceVersionMatch", "")
    if match and not given:
        raise bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided")
    version = _number(given, "resourceVersion")
    if version > state.store.version:
        raise too_large_version(version, state.store.version)
    if match == "Exact" and version < state.store.oldest:
        raise expired(f"The provided resource version {version} is too old")
    return version


def _number(text: str, name: str) -> int:
    if not text:
        return 0
    if not text.isdigit():
        raise bad_request(
            f'{name}: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text)


def _place(manifest: Manifest) -> tuple[str, str]:
    metadata = manifest["metadata"]
    return (metadata.get("namespace", ""), metadata["name"])


def _token(version: int, place: tuple[str, str]) -> str:
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": "/".join(place)}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        read = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, _, name = read["start"].partition("/")
        return int(read["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError):
        raise bad_request("continue key is not valid: the token can't be read") from None
