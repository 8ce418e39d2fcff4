"""One application as the registry keeps it in memory: what decides, and nothing of what doesn't. No I/O.

The manifest stays in its bucket. What many applications share (source, spec for the edge) is kept once.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app_registry.desired import Intent
from outrider import codec
from outrider.names import AppName
from outrider.records import ApplicationRecord
from outrider.spec.application import DEFAULT_PROJECT, Application, Destination
from outrider.spec.document import parse
from outrider.spec.source import ApplicationSource

SHARED_MAX = 8192
# Distinct sources, specs and destinations that are shared; applications beyond keep their own.


@dataclass(frozen=True, slots=True)
class App:
    """One application."""

    name: AppName
    uid: bytes
    revision: int
    # of its entry in the bucket
    project: str
    destination: Destination
    source: ApplicationSource
    spec: dict[str, Any]
    # what the edge is told
    allows_empty: bool
    deleting: bool
    cascade: bool

    @property
    def intent(self) -> Intent:
        """What enters its Desired record."""
        return Intent(self.uid, self.spec, self.allows_empty, f"{self.source.repo_url} {self.source.path}")


def from_record(name: AppName, revision: int, record: ApplicationRecord) -> App:
    """Return the application in a stored record; InvalidManifest if another version wrote what this one refuses."""
    application: Application = parse(record.manifest).application
    spec = application.spec
    source = spec.source.model_dump(by_alias=True, mode="json", exclude_defaults=True)
    return App(
        name=name,
        uid=record.uid,
        revision=revision,
        project=spec.project or DEFAULT_PROJECT,
        destination=_destination(spec.destination.name, spec.destination.server, spec.destination.namespace),
        source=_source(codec.canonical({"path": spec.source.path, **source})),
        spec=_spec(codec.canonical(spec.for_edge())),
        allows_empty=spec.allows_empty,
        deleting=record.deleting,
        cascade=record.cascade,
    )


@lru_cache(maxsize=SHARED_MAX)
def _spec(packed: bytes) -> dict[str, Any]:
    spec: dict[str, Any] = codec.unpack(packed)
    return spec


@lru_cache(maxsize=SHARED_MAX)
def _source(packed: bytes) -> ApplicationSource:
    return ApplicationSource.model_validate(codec.unpack(packed))


@lru_cache(maxsize=SHARED_MAX)
def _destination(name: str, server: str, namespace: str) -> Destination:
    return Destination(name=name, server=server, namespace=namespace)
