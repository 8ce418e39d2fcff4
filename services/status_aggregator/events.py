"""CloudEvents 1.0 for integrations, in JSON, on `events.<cluster>.<app>.<event>` (stream EVENTS).

An event's id is a function of what it tells: whoever sees it twice, after a crash of the aggregator, can recognise it; the stream
itself drops a repeat within its window by the same id. Events of one application come in the order of its changes.
`sequence` orders them for a consumer that sees a late repeat.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from outrider import subjects
from outrider.names import AppName, ClusterName, from_token
from status_aggregator.edge import NO_MARKS, Change, Marks
from status_aggregator.shape import Listed

NO_APP = AppName("_")
# In place of the application where an event is about the cluster; no application can have this name.
_TYPE = "dev.outrider"
_FINISHED = {"Succeeded": "sync-succeeded", "Failed": "sync-failed", "Error": "sync-failed"}


class Event(Struct, frozen=True, gc=False):
    """One event. Its body is made when it is sent: in a storm, most are replaced by newer ones before."""

    cluster: ClusterName
    app: str
    # token
    name: str
    place: tuple[int, int]
    # what orders it among those of its kind
    at_ms: int
    data: dict[str, Any]

    @property
    def subject(self) -> str:
        """Where it is published."""
        app = self.app if self.app == NO_APP else from_token(self.app)
        return subjects.event(self.cluster, AppName(app), self.name)

    @property
    def id(self) -> str:
        """By which a repeat is recognised."""
        return f"{self.cluster}/{self.place[0]}/{self.place[1]}/{self.app}/{self.name}"

    @property
    def headers(self) -> dict[str, str]:
        """Headers by which the stream recognises a repeat."""
        return {"Nats-Msg-Id": self.id}

    @property
    def body(self) -> bytes:
        """The CloudEvent."""
        cluster, place = self.cluster, self.place
        data = {"cluster": cluster, **self.data}
        subject = f"clusters/{cluster}"
        if self.app != NO_APP:
            data["application"] = application = from_token(self.app)
            subject = f"{subject}/applications/{application}"
        return _encode(
            CloudEvent(
                id=self.id,
                type=f"{_TYPE}.{self.name.replace('-', '.', 1)}",
                subject=subject,
                time=_rfc3339(self.at_ms),
                sequence=f"{place[0]:020d}.{place[1]:020d}",
                data=data,
            )
        )


class CloudEvent(Struct, frozen=True, gc=False):
    """What is sent, in the order of its fields."""

    id: str
    type: str
    subject: str
    time: str
    sequence: str
    data: dict[str, Any]
    specversion: str = "1.0"
    source: str = "/outrider/status-aggregator"
    datacontenttype: str = "application/json"


_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=1024)
def _rfc3339(at_ms: int) -> str:
    """Return a time as text; what a batch changed happened at one."""
    text = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def of_change(
    cluster: ClusterName, epoch: int, seq: int, change: Change, at_ms: int, observed_at_ms: int
) -> Iterator[Event]:
    """Yield what the change of one document means to others. Before its first document an application's health is Unknown.

    `at_ms`: when the hub heard it; `observed_at_ms`: when the edge said it, by the hub's clock.
    """
    if change.state is None:
        return
    before, after = change.before.marks if change.before else NO_MARKS, change.after.marks
    if before.health != after.health:
        data = _data(change.state, after, observed_at_ms)
        data["before"] = before.health
        yield Event(cluster, change.app, "health-changed", (epoch, seq), at_ms, data)
    name = _FINISHED.get(after.phase)
    if name and (after.phase, after.started_at) != (before.phase, before.started_at):
        data = _data(change.state, after, observed_at_ms)
        data["startedAt"] = after.started_at
        yield Event(cluster, change.app, name, (epoch, seq), at_ms, data)


def _data(state: Listed, after: Marks, observed_at_ms: int) -> dict[str, Any]:
    return {
        "sync": after.sync,
        "health": after.health,
        "revision": state.sync.revision,
        "observedAt": _rfc3339(observed_at_ms),
    }


def of_presence(cluster: ClusterName, *, online: bool, turn: int, at_ms: int, heard_at_ms: int) -> Event:
    """Return the event of a cluster that came or went; `turn` orders it among those of its cluster.

    What is known of one that is back is fresh only once it has spoken. `heard_at_ms`: when it did last; 0: never.
    """
    name = "cluster-online" if online else "cluster-offline"
    freshness = "unknown" if not heard_at_ms else "stale" if online else "offline"
    data = {"presence": "online" if online else "offline", "freshness": freshness}
    if heard_at_ms:
        data["heardAt"] = _rfc3339(heard_at_ms)
    return Event(cluster, NO_APP, name, (turn, 0), at_ms, data)
