"""Create or update what `outrider.topology` declares. Idempotent; any process may be the first."""

from typing import Any

import structlog

from outrider.bus.errors import BusError
from outrider.bus.jetstream import JetStream, Refused
from outrider.topology import Bucket, ObjectStore, Stream, Topology

log = structlog.get_logger()

REPLICAS = 3
# Of every stream where there are several servers: one may be lost. More would only slow every write down.
_EXISTS_WITH_OTHER_SETTINGS = 10058
_NS = 1_000_000_000


def _stream(stream: Stream) -> dict[str, Any]:
    table = {"max_msgs_per_subject": 1} if stream.last_per_subject else {}
    return {
        "name": stream.name,
        "subjects": list(stream.subjects),
        "max_bytes": stream.max_bytes,
        "max_age": round(stream.max_age_s * _NS),
        # A table is never thinned behind its owner's back; a log may lose its oldest, digests mend that.
        "discard": "new" if stream.last_per_subject else "old",
        # Read by subject, without a consumer: what one cluster said.
        "allow_direct": True,
        "deny_delete": True,
        "deny_purge": not stream.purgers,
        "allow_atomic": stream.in_batches,
        **table,
    }


def _bucket(bucket: Bucket) -> dict[str, Any]:
    return {
        "name": bucket.stream,
        "subjects": [f"$KV.{bucket.name}.>"],
        "max_bytes": bucket.max_bytes,
        "max_msgs_per_subject": 1,
        "allow_direct": True,
        "allow_rollup_hdrs": True,
        # Many keys with one wait for the disk: ten times as many writes a second.
        "allow_atomic": True,
        "deny_delete": True,
        "discard": "old" if bucket.drops_oldest else "new",
    }


def _objects(store: ObjectStore) -> dict[str, Any]:
    return {
        "name": store.stream,
        "subjects": [f"$O.{store.name}.C.>", f"$O.{store.name}.M.>"],
        "max_bytes": store.max_bytes,
        "allow_direct": True,
        "allow_rollup_hdrs": True,
        "discard": "new",
    }


async def ensured(js: JetStream, topology: Topology) -> None:
    """Declare all of it, whatever time the servers take until they can: a cluster needs a leader and three nodes."""
    while True:
        await js.connection.wait_connected()
        try:
            await ensure(js, topology)
        except BusError as error:
            log.warning("streams not declared, trying again", reason=str(error))
            await js.connection.pause()
        else:
            return


async def ensure(js: JetStream, topology: Topology) -> None:
    """Bring every stream, bucket and object store to its declared settings. BusError: not all of them; call again.

    A stream that was made with another number of replicas gets the one that holds now.
    """
    replicas = topology.replicas or (REPLICAS if js.connection.is_clustered else 1)
    declared = [_stream(stream) for stream in topology.streams]
    declared += [_bucket(bucket) for bucket in topology.buckets]
    declared += [_objects(store) for store in topology.object_stores]
    for config in declared:
        await _ensure(js, {"retention": "limits", "storage": "file", "num_replicas": replicas, **config})


async def _ensure(js: JetStream, config: dict[str, Any]) -> None:
    name = config["name"]
    try:
        await js.api(f"STREAM.CREATE.{name}", config)
    except Refused as error:
        if error.err_code != _EXISTS_WITH_OTHER_SETTINGS:
            raise
        await js.api(f"STREAM.UPDATE.{name}", config)
        log.info("stream settings updated", stream=name)
