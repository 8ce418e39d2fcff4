"""Write Desired records: numbered, signed, acknowledged by the stream.

The number is taken, the record signed and handed to the connection without a pause in between, so a cluster's records are in
the stream in the order of their numbers. The connected edge gets the message at once, beside the stream; its number counts as
given out even if the acknowledgement never comes. No headers: they would travel to the edge.
"""

from collections.abc import Callable

import structlog

from app_registry.desired import Content, frozen
from app_registry.generations import Generations
from outrider import subjects
from outrider.bus.jetstream import JetStream
from outrider.identity.signatures import public_key, seal, unseal
from outrider.messages import Desired
from outrider.names import AppName, ClusterName
from outrider.topology import DESIRED

log = structlog.get_logger()


class Publisher:
    """The one writer of DESIRED."""

    def __init__(
        self,
        js: JetStream,
        generations: Generations,
        seed: bytes,
        on_published: Callable[[ClusterName], None],
    ) -> None:
        """`seed` signs records; `on_published` is told of each cluster that got one."""
        self._js, self._generations, self._seed = js, generations, seed
        self._keys = [public_key(seed)]
        self._on_published = on_published

    async def publish(self, cluster: ClusterName, app: AppName, content: Content) -> None:
        """Publish a record as the next of its cluster. BusError: it may have arrived; decide anew from the stream."""
        generation = self._generations.allocate(cluster)
        record = Desired(
            uid=content.uid,
            epoch=generation.epoch,
            counter=generation.counter,
            spec=content.spec,
            revision=content.revision,
            digest=content.digest,
            base=content.base,
            patch=content.patch,
            cascade=content.cascade,
        )
        sealed = seal(self._seed, cluster, app, record.pack())
        try:
            seq = await self._js.publish(subjects.desired(cluster, app), sealed)
            self._generations.stored(cluster, app, seq, sealed, record)
        finally:
            self._generations.settled(cluster, generation)
        log.debug(
            "desired published", cluster=cluster, app=app, generation=list(generation), bytes=len(sealed)
        )
        self._on_published(cluster)

    async def renew(self, cluster: ClusterName, app: AppName) -> None:
        """Publish what the stream holds of an application once more, under the cluster's next number.

        ForgedRecord if that is not this hub's own: to sign it would make it true.
        """
        record = await self._stored(cluster, app)
        content = Content(
            record.uid, record.spec, record.revision, record.digest, record.base, record.patch, record.cascade
        )
        await self.publish(cluster, app, content)

    async def freeze(self, cluster: ClusterName, app: AppName) -> None:
        """Have an edge that renders an application stay at what it has. ForgedRecord: see `renew`."""
        await self.publish(cluster, app, frozen(await self._stored(cluster, app)))

    async def _stored(self, cluster: ClusterName, app: AppName) -> Desired:
        stored = await self._js.last(DESIRED.name, subjects.desired(cluster, app))
        return Desired.unpack(unseal(stored.data, self._keys, cluster, app))

    async def purge(self, cluster: ClusterName, app: AppName, seq: int) -> None:
        """Drop what the stream holds of an application up to `seq`; a newer record stays. Idempotent."""
        body = {"filter": subjects.desired(cluster, app), "seq": seq + 1}
        await self._js.api(f"STREAM.PURGE.{DESIRED.name}", body)
        self._generations.purged(cluster, app, seq)

    async def purge_cluster(self, cluster: ClusterName) -> list[AppName]:
        """Drop all records of a cluster that is removed; return the applications that had one. The edge keeps what it runs."""
        await self._js.api(f"STREAM.PURGE.{DESIRED.name}", {"filter": subjects.desired_of(cluster)})
        return self._generations.forget(cluster)
