"""What the agent asks of the Kubernetes API: get, apply, delete, list, watch. Raw JSON in and out."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from edge_agent.cluster.access import Access
from edge_agent.cluster.answers import error_of
from edge_agent.cluster.discovery import Discovery
from edge_agent.cluster.errors import Expired, InvalidObject, Unavailable, UnknownKind
from edge_agent.cluster.transport import JSON, Limits, Request, Transport
from edge_agent.cluster.undeclared import only_undeclared, without_fields

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from edge_agent.cluster.names import Key, Kind, Object, Resource

FIELD_MANAGER = "outrider"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
# Objects of one page: bounds what a list holds in memory, at 5 KB an object half a megabyte of text.
PAGE_OBJECTS = 100


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply brought (or, as a dry run, would bring): the object, and whether it came into being."""

    object: Object
    created: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. `resource_version` is the same on every page: where to watch from."""

    objects: list[Object]
    resource_version: str


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a watch: `ADDED`, `MODIFIED`, `DELETED` or `BOOKMARK`."""

    type: str
    object: Object


class Cluster:
    """One cluster's API. `async with` opens and closes the connections; every method may raise
    `ClusterError`.
    """

    def __init__(self, access: Access | None = None, limits: Limits | None = None) -> None:
        self._transport = Transport(access or Access(), limits or Limits())
        self.discovery = Discovery(self._ask)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._transport.__aexit__(*exc_info)

    @property
    def requests(self) -> int:
        """Requests sent so far."""
        return self._transport.requests

    async def get(self, kind: Kind, key: Key) -> Object:
        """Read one object. Raises `NotFound`."""
        resource = await self.discovery.resource(kind)
        request = Request("GET", resource.path(key), str(key), secret=_secret(key))
        return _object(await self._request(resource, request))

    async def apply(
        self,
        kind: Kind,
        key: Key,
        manifest: Object,
        *,
        dry_run: bool = False,
        strict: bool = True,
        manager: str = FIELD_MANAGER,
    ) -> Applied:
        """Server-side apply a manifest as a field manager, taking over fields that others hold. Idempotent.

        `strict` refuses unknown fields; else they are left out.
        """
        query = (("force", "true"), *_written(dry_run, strict, manager))
        try:
            return await self._write("PATCH", kind, key, manifest, query, APPLY)
        except InvalidObject as error:
            if strict or not only_undeclared(error.causes):
                raise
            known = without_fields(manifest, error.causes)
            return await self._write("PATCH", kind, key, known, query, APPLY)

    async def create(
        self,
        kind: Kind,
        key: Key,
        manifest: Object,
        *,
        dry_run: bool = False,
        strict: bool = True,
        manager: str = FIELD_MANAGER,
    ) -> Applied:
        """Create an object. Raises `AlreadyExists` when one of that name is there."""
        return await self._write("POST", kind, key, manifest, _written(dry_run, strict, manager))

    async def replace(
        self, kind: Kind, key: Key, manifest: Object, *, dry_run: bool = False, strict: bool = True
    ) -> Applied:
        """Put a manifest in the place of an object: what it doesn't say goes. Raises `NotFound`, and `Conflict`
        when the manifest names a resource version that is gone.
        """
        return await self._write("PUT", kind, key, manifest, _written(dry_run, strict))

    async def patch(
        self,
        kind: Kind,
        key: Key,
        patch: Any,
        how: str = MERGE,
        *,
        dry_run: bool = False,
        strict: bool = False,
        manager: str = FIELD_MANAGER,
        subresource: str = "",
    ) -> Applied:
        """Change an object, or a subresource of it, by a patch of the kind that `how` names. Raises
        `NotFound`, for a kind without that subresource too.

        A merge patch replaces lists as a whole: for what server-side apply can't mend, because it merges lists
        by key, so that an item whose key somebody changed would stay beside the desired one.
        """
        query = _written(dry_run, strict, manager)
        return await self._write("PATCH", kind, key, patch, query, how, subresource)

    async def _write(
        self,
        method: str,
        kind: Kind,
        key: Key,
        body: Any,
        query: tuple[tuple[str, str], ...],
        content_type: str = JSON,
        subresource: str = "",
    ) -> Applied:
        resource = await self.discovery.resource(kind)
        path = resource.collection(key.namespace) if method == "POST" else resource.path(key)
        path += f"/{subresource}" if subresource else ""
        request = Request(method, path, str(key), query, body, content_type, secret=_secret(key))
        status, answer = await self._request(resource, request)
        return Applied(_object((status, answer)), created=status == 201)

    async def delete(
        self,
        kind: Kind,
        key: Key,
        *,
        uid: str,
        resource_version: str | None = None,
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> None:
        """Delete this very object. Raises `NotFound`, and `Conflict` when it is another one or has changed
        by now.
        """
        resource = await self.discovery.resource(kind)
        preconditions = {"uid": uid} | ({"resourceVersion": resource_version} if resource_version else {})
        body = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": propagation,
            "preconditions": preconditions,
        } | ({"dryRun": ["All"]} if dry_run else {})
        await self._transport.request(
            Request("DELETE", resource.path(key), str(key), body=body, secret=_secret(key))
        )

    async def pages(
        self,
        resource: Resource,
        selector: str = "",
        *,
        metadata_only: bool = False,
        namespace: str = "",
        fields: str = "",
    ) -> AsyncIterator[Page]:
        """List page by page, all objects or those of a namespace, by labels and fields. Raises `Expired` when the
        list took longer than the server keeps its version.
        """
        accept = f"{JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1" if metadata_only else JSON
        carry_on = ""
        while True:
            query = tuple(
                (name, value)
                for name, value in (
                    ("labelSelector", selector),
                    ("fieldSelector", fields),
                    ("limit", str(PAGE_OBJECTS)),
                    ("continue", carry_on),
                )
                if value
            )
            what, secret = f"list {resource.right}", resource.right == "secrets"
            path = resource.collection(namespace)
            request = Request("GET", path, what, query, accept=accept, secret=secret)
            _, answer = await self._request(resource, request)
            metadata = answer.get("metadata") or {}
            yield Page(
                _typed(resource.kind, answer.pop("items", None) or []),
                str(metadata.get("resourceVersion", "")),
            )
            carry_on = metadata.get("continue") or ""
            if not carry_on:
                return

    @contextlib.asynccontextmanager
    async def watch(
        self,
        resource: Resource,
        selector: str,
        resource_version: str,
        *,
        within_s: int,
        grace_s: float,
        namespace: str = "",
        fields: str = "",
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Watch from a version on; the server ends the stream after `within_s`. Raises `Expired` for a
        version too old.
        """
        query = (
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("labelSelector", selector),
            *((("fieldSelector", fields),) if fields else ()),
            ("resourceVersion", resource_version),
            ("timeoutSeconds", str(within_s)),
        )
        request = Request("GET", resource.collection(namespace), f"watch {resource.right}", query)
        async with self._transport.stream(request, within_s + grace_s) as lines:
            yield _events(request, lines)

    async def _request(self, resource: Resource, request: Request) -> tuple[int, Any]:
        try:
            return await self._transport.request(request)
        except UnknownKind:
            # The definition went: the next question asks the server again.
            self.discovery.forget(resource.kind.group)
            raise

    async def _ask(self, path: str, accept: str) -> Any:
        return (await self._transport.request(Request("GET", path, f"discovery of {path}", accept=accept)))[1]


async def _events(request: Request, lines: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    async for line in lines:
        try:
            event = json.loads(line)
        except ValueError as error:
            # The connection broke in the middle of a line.
            raise Unavailable(request.what, "the watch broke off") from error
        if event["type"] == "ERROR":
            status = event["object"]
            code = int(status.get("code") or 500)
            raise (
                Expired(request.what, str(status.get("message")))
                if code == 410
                else error_of(request.what, code, json.dumps(status).encode(), {}, secret=False)
            )
        yield Event(event["type"], event["object"])


def _typed(kind: Kind, objects: list[Object]) -> list[Object]:
    """Give the items of a list their kind, which a list's items lack."""
    for found in objects:
        if found.get("kind") in (None, "PartialObjectMetadata"):
            found["apiVersion"], found["kind"] = kind.api_version, kind.kind
    return objects


def _written(dry_run: bool, strict: bool, manager: str = FIELD_MANAGER) -> tuple[tuple[str, str], ...]:
    """Return what every write says of itself."""
    return (
        ("fieldManager", manager),
        ("fieldValidation", "Strict" if strict else "Ignore"),
        *((("dryRun", "All"),) if dry_run else ()),
    )


def _object(answer: tuple[int, Any]) -> Object:
    found: Object = answer[1]
    return found


def _secret(key: Key) -> bool:
    return key.kind == "Secret" and not key.group
