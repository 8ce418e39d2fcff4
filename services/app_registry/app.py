"""One application as the registry keeps it in memory: what decides, and nothing of what doesn't. No I/O.

The manifest stays in its bucket. What many applications share (source, spec for the edge) is kept once.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from app_registry.desired import Intent
from app_registry.destinations import Target
from app_registry.project import Asked, Place
from app_registry.sources import Source
from outrider import codec
from outrider.names import AppName
from outrider.records import ApplicationRecord
from outrider.spec.application import DEFAULT_PROJECT, ApplicationSpec, Destination
from outrider.spec.document import InvalidManifest
from outrider.spec.metadata import (
    EDGE_ANNOTATIONS,
    RENDER,
    Propagation,
    RenderPlace,
    is_render_place,
    propagation,
)
from outrider.spec.problems import problems

SHARED_MAX = 8192
# Distinct sources and specs that are shared; applications beyond keep their own.


@dataclass(frozen=True, slots=True)
class App:
    """One application."""

    name: AppName
    uid: bytes
    revision: int
    # of its entry in the bucket
    project: str
    destination: Target
    source: Source
    spec: dict[str, Any]
    # what the edge is told
    namespace_labels: tuple[str, ...]
    # keys of the labels that its namespace is to be made with
    allows_empty: bool
    deleting: bool
    cascade: bool
    propagation: Propagation
    render: RenderPlace | None = None
    # where it wants to be rendered; None: where its cluster's applications are

    @property
    def is_automated(self) -> bool:
        """Whether it syncs without being asked."""
        automated = self.spec.get("syncPolicy", {}).get("automated")
        return automated is not None and automated.get("enabled") is not False

    def intent(self, project: dict[str, Any]) -> Intent:
        """Return what enters its Desired record; `project`: what the edge has to judge of it, empty if nothing."""
        spec = {**self.spec, "project": project} if project else self.spec
        return Intent(self.uid, spec, self.allows_empty, self.source.shown)

    def asked(self, place: Place) -> Asked:
        """Return what its project has to judge."""
        return Asked(
            self.name, tuple(model.repo_url for model in self.source.models), place, self.namespace_labels
        )


@dataclass(frozen=True, slots=True)
class _Shape:
    """What applications share that differ in name and destination only."""

    project: str
    source: Source
    spec: dict[str, Any]
    namespace_labels: tuple[str, ...]
    allows_empty: bool


def from_record(name: AppName, revision: int, record: ApplicationRecord) -> App:
    """Return the application in a stored record.

    It was checked when it was stored, so this looks at what decides and no further. InvalidManifest if another version stored
    what this one refuses.
    """
    spec = record.manifest.get("spec")
    if not isinstance(spec, dict):
        raise InvalidManifest(f"Application {name}", ["spec: must be a map"])
    rest = {field: value for field, value in spec.items() if field != "destination"}
    try:
        shape = _shape(codec.canonical(rest))
        destination = Target.of(Destination.model_validate(spec.get("destination")))
    except ValidationError as error:
        raise InvalidManifest(
            f"Application {name}", list(problems(error, ApplicationSpec, "spec"))
        ) from error
    return App(
        name=name,
        uid=record.uid,
        revision=revision,
        project=shape.project,
        destination=destination,
        source=shape.source,
        spec=_for_edge(codec.canonical({**shape.spec, **_place(destination), **_annotations(record)})),
        namespace_labels=shape.namespace_labels,
        allows_empty=shape.allows_empty,
        deleting=record.deleting,
        cascade=record.cascade,
        propagation="background" if _propagation(record) == "background" else "foreground",
        render=_render(record),
    )


def _place(destination: Target) -> dict[str, Any]:
    return {"destination": {"namespace": destination.namespace}} if destination.namespace else {}


def _annotations(record: ApplicationRecord) -> dict[str, Any]:
    found = {key: value for key, value in _annotated(record).items() if key in EDGE_ANNOTATIONS}
    return {"annotations": found} if found else {}


def _render(record: ApplicationRecord) -> RenderPlace | None:
    place = str(_annotated(record).get(RENDER) or "")
    return place if is_render_place(place) else None


def _annotated(record: ApplicationRecord) -> dict[str, Any]:
    metadata = record.manifest.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return annotations or {}


def _propagation(record: ApplicationRecord) -> str:
    metadata = record.manifest.get("metadata")
    finalizers = metadata.get("finalizers") if isinstance(metadata, dict) else None
    return record.propagation or propagation(finalizers or [])


@lru_cache(maxsize=SHARED_MAX)
def _shape(packed: bytes) -> _Shape:
    spec = ApplicationSpec.model_validate({**codec.unpack(packed), "destination": {"name": "any"}})
    return _Shape(
        spec.project or DEFAULT_PROJECT,
        Source(*spec.all_sources),
        spec.for_edge(),
        spec.namespace_labels,
        spec.allows_empty,
    )


@lru_cache(maxsize=SHARED_MAX)
def _for_edge(packed: bytes) -> dict[str, Any]:
    spec: dict[str, Any] = codec.unpack(packed)
    return spec
