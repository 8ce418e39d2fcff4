"""One application as the registry keeps it in memory: what decides, and nothing of what doesn't. No I/O.

The manifest stays in its bucket. What many applications share (source, spec for the edge) is kept once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError

from app_registry.desired import Intent
from app_registry.sources import Source
from outrider import codec
from outrider.names import AppName
from outrider.records import ApplicationRecord
from outrider.spec.application import DEFAULT_PROJECT, ApplicationSpec, Destination
from outrider.spec.document import InvalidManifest
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
    destination: Destination
    source: Source
    spec: dict[str, Any]
    # what the edge is told
    allows_empty: bool
    deleting: bool
    cascade: bool

    @property
    def intent(self) -> Intent:
        """What enters its Desired record."""
        return Intent(self.uid, self.spec, self.allows_empty, self.source.shown)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What applications share that differ in name and destination only."""

    project: str
    source: Source
    spec: dict[str, Any]
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
        destination = Destination.model_validate(spec.get("destination"))
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
        spec=_for_edge(codec.canonical({**shape.spec, **_place(destination)})),
        allows_empty=shape.allows_empty,
        deleting=record.deleting,
        cascade=record.cascade,
    )


@contextmanager
def _naming(name: AppName, model: type[BaseModel], at: str) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise InvalidManifest(f"Application {name}", list(problems(error, model, at))) from error


def _place(destination: Destination) -> dict[str, Any]:
    return {"destination": {"namespace": destination.namespace}} if destination.namespace else {}


@lru_cache(maxsize=SHARED_MAX)
def _shape(packed: bytes) -> _Shape:
    spec = ApplicationSpec.model_validate({**codec.unpack(packed), "destination": {"name": "any"}})
    return _Shape(
        spec.project or DEFAULT_PROJECT, Source(*spec.all_sources), spec.for_edge(), spec.allows_empty
    )


@lru_cache(maxsize=SHARED_MAX)
def _for_edge(packed: bytes) -> dict[str, Any]:
    spec: dict[str, Any] = codec.unpack(packed)
    return spec
