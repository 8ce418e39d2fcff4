"""CloudEvents 1.0 for integrations, in JSON, on `events.<cluster>.<app>.<event>` (stream EVENTS).

An event's id is a function of what it tells: whoever sees it twice, after a crash of the aggregator, can recognise it; the stream
itself drops a repeat within its window by the same id. Events of one application come in the order of its changes.
`sequence` orders them for a consumer that sees a late repeat.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from outrider import subjects
from outrider.names import AppName, ClusterName, from_token
from status_aggregator.document import UNKNOWN
from status_aggregator.fold import Change

NO_APP = AppName("_")
# In place of the application where an event is about the cluster; no application can have this name.
_TYPE = "dev.outrider"
_FINISHED = {"Succeeded": "sync-succeeded", "Failed": "sync-failed", "Error": "sync-failed"}


class Event(NamedTuple):
    """An event, ready to be published."""

    subject: str
    id: str
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """Headers by which the stream recognises a repeat."""
        return {"Nats-Msg-Id": self.id}


def of_change(cluster: ClusterName, epoch: int, seq: int, change: Change, at_ms: int) -> Iterator[Event]:
    """Yield what the change of one document means to others. Before its first document an application's health is Unknown."""
    head, place = change.headline, (epoch, seq)
    _, health_before, *operation_before = change.before.marks if change.before else ("", UNKNOWN, "", "")
    data = {"sync": head.sync, "health": head.health, "revision": head.revision}
    if health_before != head.health:
        changed = {**data, "before": health_before}
        yield _event(cluster, change.app, "health-changed", place, at_ms, changed)
    name = _FINISHED.get(head.phase)
    if name and [head.phase, head.started_at] != operation_before:
        yield _event(cluster, change.app, name, place, at_ms, {**data, "startedAt": head.started_at})


def of_presence(cluster: ClusterName, *, online: bool, before_since_ms: int, at_ms: int) -> Event:
    """Return the event of a cluster that came or went; `before_since_ms`: since when it had been the opposite."""
    name = "cluster-online" if online else "cluster-offline"
    data = {"presence": "online" if online else "offline"}
    return _event(cluster, NO_APP, name, (before_since_ms, 0), at_ms, data)


def _event(
    cluster: ClusterName, app: str, name: str, place: tuple[int, int], at_ms: int, data: dict[str, Any]
) -> Event:
    where = f"clusters/{cluster}" if app == NO_APP else f"clusters/{cluster}/applications/{from_token(app)}"
    identity = f"{cluster}/{place[0]}/{place[1]}/{app}/{name}"
    about = {"cluster": cluster} if app == NO_APP else {"cluster": cluster, "application": from_token(app)}
    body = {
        "specversion": "1.0",
        "id": identity,
        "source": "/outrider/status-aggregator",
        "type": f"{_TYPE}.{name.replace('-', '.', 1)}",
        "subject": where,
        "time": datetime.fromtimestamp(at_ms / 1000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "sequence": f"{place[0]:020d}.{place[1]:020d}",
        "data": {**about, **data},
    }
    subject = subjects.event(cluster, AppName(from_token(app)) if app != NO_APP else NO_APP, name)
    return Event(subject, identity, json.dumps(body, separators=(",", ":")).encode())
