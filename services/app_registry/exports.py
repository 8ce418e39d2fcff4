"""What a cluster should run, for a file that travels without a link: `hub.registry.cluster.export` and `hub.registry.bundle.get`.

Each question is answered from the stream and the object store, and nothing is kept between two: whoever asks puts the file together
(`outrider.export_file`). The first answer holds the header, sealed over the digest of the whole set; the following ones hold further
records as long as the set is the same, and say so when it is not: then one begins anew.
"""

from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Any

import structlog

from app_registry import arguments
from app_registry.fleet import Fleet
from app_registry.generations import NOTHING, Generations, Published
from app_registry.placements import REMOVING
from app_registry.resync import read_records
from outrider import export_file
from outrider.bus import NotFound
from outrider.bus.jetstream import JetStream
from outrider.bus.objects import Objects
from outrider.bus.services import Endpoint, RequestRefused
from outrider.identity.signatures import seal
from outrider.messages import ExportHeader, Generation
from outrider.names import AppName, ClusterName, token
from outrider.subjects import EXPORT, registry
from outrider.topology import BUNDLES

log = structlog.get_logger()

CHANGED = "changed while it was exported"
# Who asks begins anew at these words.
GROUP = "exports"
# Of endpoints: large answers hold back nobody but one another.
ANSWER_MAX_BYTES = 512 << 10
ENTRY_OVERHEAD_BYTES = 16
CHUNKS_PER_ANSWER = 4
# Of 128 KiB each.
DIGEST_BYTES = 32
LACKING_TOLD = 20


class Exports:
    """Serves exports."""

    def __init__(
        self,
        js: JetStream,
        fleet: Fleet,
        generations: Generations,
        seed: bytes,
        clock: Callable[[], datetime],
    ) -> None:
        """`seed` signs headers, as it does records."""
        self._js, self._fleet, self._generations = js, fleet, generations
        self._seed, self._clock = seed, clock
        self._objects = Objects(js.connection, BUNDLES)

    def endpoints(self) -> list[Endpoint]:
        """Return what is served."""
        return [
            Endpoint("cluster-export", registry("cluster.export"), self.export, group=GROUP),
            Endpoint("bundle-get", registry("bundle.get"), self.bundle, group=GROUP),
        ]

    async def export(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a part of a cluster's records. {name, after?, generation?} -> {header?, records, next, generation, lacking?}.

        `header`: sealed, in the first answer only; `records`: [application token, sealed record], by name; `next`: the token to ask
        on from, empty at the end; `lacking`: applications that nothing can be said of yet. RequestRefused where the cluster was told
        something else since `generation`.
        """
        cluster = self._known(request)
        after = arguments.optional(request, "after", str) or ""
        newest = self._generations.newest(cluster)
        told = arguments.optional(request, "generation", list)
        if told is not None and told != list(newest):
            raise RequestRefused(_changed(cluster))
        wanted = sorted(self._generations.after(cluster, NOTHING), key=lambda one: token(one[0]))
        if not wanted:
            raise RequestRefused(
                f"cluster {cluster!r} has nothing to run yet: apply an application to it first"
            )
        left = [one for one in wanted if token(one[0]) > after]
        part = _part(left)
        answer: dict[str, Any] = {"generation": list(newest)}
        if told is None:
            records = await read_records(self._js, cluster, wanted)
            if len(records) < len(wanted):
                # One was replaced meanwhile: a header that says "up to here" must not be without it.
                raise RequestRefused(_changed(cluster))
            answer["header"] = self._header(cluster, newest, records)
            answer["lacking"] = self._lacking(cluster, wanted)
            log.info("cluster exported", cluster=cluster, records=len(records), generation=list(newest))
            answer["records"] = records[: len(part)]
        else:
            answer["records"] = await read_records(self._js, cluster, part)
        return answer | {"next": token(part[-1][0]) if len(part) < len(left) else ""}

    async def bundle(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a part of a bundle's frame. {digest, seq?} -> {data, next}; `next` is the `seq` to ask on from, 0 at the end."""
        digest = arguments.optional(request, "digest", bytes)
        seq = arguments.optional(request, "seq", int) or 0
        if digest is None or len(digest) != DIGEST_BYTES or seq < 0:
            raise RequestRefused(f"digest: must be {DIGEST_BYTES} bytes; seq: must not be negative")
        try:
            part = await self._objects.part(digest.hex(), seq, CHUNKS_PER_ANSWER)
        except NotFound as error:
            raise RequestRefused(f"the hub has no bundle {digest.hex()[:12]} (any more)") from error
        return {"data": part.data, "next": part.next_seq}

    def _known(self, request: dict[str, Any]) -> ClusterName:
        cluster = arguments.cluster(request)
        record = self._fleet.placements.clusters.get(cluster)
        if record is None or REMOVING in record.annotations:
            raise RequestRefused(f"there is no cluster {cluster!r}")
        return cluster

    def _header(self, cluster: ClusterName, newest: Generation, records: list[list[Any]]) -> bytes:
        digests = {app: export_file.record_digest(sealed) for app, sealed in records}
        header = ExportHeader(
            cluster=cluster,
            epoch=newest.epoch,
            counter=newest.counter,
            made_at_ms=round(self._clock().timestamp() * 1000),
            records=len(digests),
            set_digest=export_file.set_digest(digests),
        )
        return seal(self._seed, cluster, EXPORT, header.pack())

    def _lacking(self, cluster: ClusterName, wanted: list[tuple[AppName, Published]]) -> list[str]:
        told = {app for app, _ in wanted}
        return list(
            islice((app for app in self._fleet.names(cluster=cluster) if app not in told), LACKING_TOLD)
        )


def _changed(cluster: ClusterName) -> str:
    return f"what cluster {cluster!r} should run {CHANGED}; ask again"


def _part(left: list[tuple[AppName, Published]]) -> list[tuple[AppName, Published]]:
    """Return the first of them, as many as fit one answer, and at least one."""
    size, count = 0, 0
    for app, published in left:
        size += published.size_bytes + len(app) + ENTRY_OVERHEAD_BYTES
        if count and size > ANSWER_MAX_BYTES:
            break
        count += 1
    return left[:count]
