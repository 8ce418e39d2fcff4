"""What each identity may publish and subscribe to: allow lists only, never a deny, no `allow_responses`.

A role's list becomes the template of a *scoped signing key*: users signed by that key carry no permissions of their own,
the server fills in the template, and `{{name()}}` is the user's name, a checked DNS label.
"""

from dataclasses import dataclass

from outrider import subjects, topology
from outrider.topology import HUB, Role, Topology

EDGE_SUBSCRIPTIONS_MAX = 8
EDGE_PAYLOAD_MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Permissions:
    """Allow lists of subjects. `subscriptions_max` and `payload_max_bytes`: -1 is no limit."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    subscriptions_max: int = -1
    payload_max_bytes: int = -1

    def template(self) -> dict[str, object]:
        """Return the template of a scoped signing key in an account's JWT."""
        return {
            "pub": {"allow": list(self.publish)},
            "sub": {"allow": list(self.subscribe)},
            "subs": self.subscriptions_max,
            "data": -1,
            "payload": self.payload_max_bytes,
            "allowed_connection_types": ["STANDARD", "WEBSOCKET"],
        }


CLUSTER = Permissions(
    publish=tuple(
        f"fleet.{{{{name()}}}}.{part}" for part in ("resync", "bundle", "status", "journal", "reply.*")
    ),
    subscribe=("fleet.{{name()}}.desired.*", "fleet.{{name()}}.command.*", "_INBOX_{{name()}}.>"),
    subscriptions_max=EDGE_SUBSCRIPTIONS_MAX,
    payload_max_bytes=EDGE_PAYLOAD_MAX_BYTES,
)

# A delegated renderer asks and hears the answers. Nothing is sent to it unasked, so it needs no other right.
POOL = Permissions(
    publish=("pool.{{name()}}.gateway.*",),
    subscribe=("_INBOX_POOL_{{name()}}.>",),
    subscriptions_max=EDGE_SUBSCRIPTIONS_MAX,
    payload_max_bytes=EDGE_PAYLOAD_MAX_BYTES,
)

# Rotating a cluster's trust, nothing else: the one right of the registry's user in the system account.
CLAIMS_WRITER = Permissions(publish=("$SYS.REQ.CLAIMS.UPDATE",), subscribe=("_INBOX_{{name()}}.>",))

_SERVICE_DISCOVERY = ("$SRV.>",)
_OWN_SUBJECTS: dict[Role, Permissions] = {
    "registry": Permissions(
        publish=("hub.render.*.*", "hub.status.*", subjects.ALL_DESIRED, subjects.ALL_COMMANDS),
        subscribe=("hub.registry.>", subjects.ALL_RESYNC, subjects.ALL_REPLIES, *_SERVICE_DISCOVERY),
    ),
    "renderer": Permissions(
        publish=(),
        subscribe=("hub.render.*.*", subjects.ALL_BUNDLE, subjects.ALL_GATEWAY, *_SERVICE_DISCOVERY),
    ),
    "aggregator": Permissions(
        publish=("events.>", subjects.ALL_COMMANDS, "presence.connections"),
        subscribe=("hub.status.>", subjects.ALL_REPLIES, "presence.*", *_SERVICE_DISCOVERY),
    ),
    "person": Permissions(
        publish=("hub.registry.>", "hub.status.>", "hub.render.*.*", *_SERVICE_DISCOVERY),
        subscribe=("events.>",),
    ),
}


def hub_role(role: Role, declared: Topology = HUB) -> Permissions:
    """Return what a hub service may do: its own subjects, and the streams and buckets it reads or writes."""
    own = _OWN_SUBJECTS[role]
    publish, subscribe = set(own.publish), {*own.subscribe, "_INBOX_{{name()}}.>"}
    for stream in declared.streams:
        if role in (*stream.writers, *stream.readers):
            publish |= _ensure(stream.name)
        if role in stream.readers:
            publish |= _read(stream.name)
        if role in stream.purgers:
            publish.add(f"$JS.API.STREAM.PURGE.{stream.name}")
    for bucket in declared.buckets:
        publish |= _store(role, bucket)
    for objects in declared.object_stores:
        publish |= _store(role, objects)
    if role != "person":
        # Replies to requests: the asker's inbox, and the reply subjects that service imports make.
        publish |= {f"_INBOX_{asker}.>" for asker in _OWN_SUBJECTS} | {"_R_.>", "$JS.API.INFO"}
    return Permissions(tuple(sorted(publish)), tuple(sorted(subscribe)))


def _ensure(stream: str) -> set[str]:
    return {f"$JS.API.STREAM.{verb}.{stream}" for verb in ("INFO", "CREATE", "UPDATE")}


def _read(stream: str) -> set[str]:
    consumer = {f"$JS.API.CONSUMER.{verb}.{stream}.>" for verb in ("CREATE", "INFO", "DELETE", "MSG.NEXT")}
    durable = {f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.>"}
    get = {
        f"$JS.API.DIRECT.GET.{stream}",
        f"$JS.API.DIRECT.GET.{stream}.>",
        f"$JS.API.STREAM.MSG.GET.{stream}",
    }
    return consumer | durable | get | {f"$JS.ACK.{stream}.>", f"$JS.FC.{stream}.>"}


def _store(role: Role, store: topology.Bucket | topology.ObjectStore) -> set[str]:
    rights: set[str] = set()
    if role in (*store.writers, *store.readers):
        rights |= _ensure(store.stream) | _read(store.stream)
    if role in store.writers:
        prefix = "$KV" if isinstance(store, topology.Bucket) else "$O"
        rights |= {f"{prefix}.{store.name}.>", f"$JS.API.STREAM.PURGE.{store.stream}"}
    return rights
