"""One application as the hub shows it: what should be, what the edge said last, and how far that may be trusted. Pure."""

from dataclasses import dataclass
from sys import intern
from typing import Any, Final, NamedTuple

from outrider.messages import Desired
from outrider.names import ClusterName
from outrider.records import ApplicationRecord, StatusRecord
from status_aggregator import document, frames
from status_aggregator.document import MESSAGE_MAX_CHARS, UNKNOWN

OUT_OF_SYNC: Final = "OutOfSync"
IN_CLUSTER_SERVER: Final = "https://kubernetes.default.svc"
IN_CLUSTER: Final = "in-cluster"
# Argo CD's word for the cluster that it runs in means the one of this name.
NOWHERE = ClusterName("")
# The cluster of an application whose destination is not registered.


class Seen(NamedTuple):
    """What an edge said of an application."""

    reported: document.Reported
    observed_at_ms: int
    received_at_ms: int

    @classmethod
    def of(cls, record: StatusRecord) -> "Seen":
        """Return what lists need of a stored document; MalformedMessage if it is none."""
        said = document.reported(document.listed(frames.document_of(record)))
        return cls(said, record.observed_at_ms, record.received_at_ms)


class Wanted(NamedTuple):
    """The newest Desired record of an application on one cluster."""

    generation: tuple[int, int]
    revision: str
    is_tombstone: bool
    at_edge: bool = False
    # The edge renders it: which revision it is to be at, it finds out itself.

    @classmethod
    def of(cls, record: Desired) -> "Wanted":
        """Return what lists need of a record."""
        revision = record.revision.hex() if isinstance(record.revision, bytes) else record.revision
        return cls(
            (record.epoch, record.counter), intern(revision), record.is_tombstone, record.digest == b""
        )


@dataclass(frozen=True, slots=True)
class Application:
    """What a person applied, and what the hub has to say of it."""

    name: str
    project: str
    destination: str
    # name or server URL, as written
    deleting: bool = False
    conditions: tuple[tuple[str, str], ...] = ()
    # type and message
    told_cluster: str = ""
    # where the registry says that it runs

    @classmethod
    def of(cls, record: ApplicationRecord) -> "Application":
        """Return what lists need of a record."""
        spec = _map(record.manifest.get("spec"))
        destination = _map(spec.get("destination"))
        target = str(destination.get("name") or destination.get("server") or "")
        if target == IN_CLUSTER_SERVER:
            target = IN_CLUSTER
        project = str(spec.get("project") or "default")
        return cls(record.name, intern(project), intern(target), record.deleting)


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


class Row(NamedTuple):
    """An application as it is shown, but for its cluster's presence and freshness."""

    sync: str
    health: str
    revision: str
    message: str
    delivered: bool
    desired_revision: str = ""
    # the one to be at; where the edge renders and works on the newest record, the one that it is at. Empty: not known


def row(application: Application, cluster: ClusterName, wanted: Wanted | None, seen: Seen | None) -> Row:
    """Put together what is shown."""
    delivered = seen is not None and wanted is not None and is_delivered(wanted, seen.reported)
    desired = "" if wanted is None or wanted.is_tombstone else wanted.revision
    said = "; ".join(message for _, message in application.conditions)
    if seen is None:
        message = said or _awaited(application, cluster, wanted)
        return Row(UNKNOWN, UNKNOWN, "", message[:MESSAGE_MAX_CHARS], False, desired)
    reported = seen.reported
    if delivered and wanted is not None and wanted.at_edge:
        desired = reported.revision
    stands = delivered or not reported.is_newest
    # Of what the edge has said since, nothing can be told but that.
    message = said or (reported.message if stands else _undelivered(wanted, reported.revision))
    return Row(
        reported.sync if stands else OUT_OF_SYNC,
        reported.health,
        reported.revision,
        message[:MESSAGE_MAX_CHARS],
        delivered,
        desired,
    )


def is_delivered(wanted: Wanted, reported: document.Reported) -> bool:
    """Whether an edge works on the newest record. One that renders says on which it does; of any other, the revision tells."""
    if wanted.is_tombstone:
        return False
    if wanted.at_edge:
        return reported.generation is not None and reported.generation >= wanted.generation
    if reported.revision != wanted.revision:
        return False
    return reported.generation is None or reported.generation >= wanted.generation


def _awaited(application: Application, cluster: ClusterName, wanted: Wanted | None) -> str:
    if cluster == NOWHERE:
        return f"no cluster is registered as {application.destination!r}"
    if wanted is None:
        return "waiting for its first rendering"
    return "waiting for the cluster's first word of it"


def _undelivered(wanted: Wanted | None, revision: str) -> str:
    if wanted is None:
        return "the hub has no desired state of it yet"
    if wanted.is_tombstone:
        return "to be removed; the cluster has not confirmed it yet"
    if wanted.at_edge:
        return (
            f"its newest state has not reached the cluster, which renders it; it is at {revision or 'none'}"
        )
    if revision == wanted.revision:
        return f"a newer state of revision {wanted.revision} has not reached the cluster yet"
    return f"revision {wanted.revision} has not reached the cluster yet; it is at {revision or 'none'}"
