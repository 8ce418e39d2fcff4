"""What somebody has who holds the bus: the right to publish where the hub does, and what was published before. Not the hub's key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from outrider import subjects
from outrider.bus import Connection, connected
from outrider.bus.jetstream import JetStream
from outrider.bus.services import ask
from outrider.identity import signatures
from outrider.messages import Desired
from outrider.names import AppName, ClusterName
from outrider.topology import DESIRED
from outrider_playground.demo.edge import Edge
from outrider_playground.demo.fleet import Fleet


class Intruder:
    """Reads and writes what edges are told, as the registry's own identity would."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def record(self, edge: Edge, app: str) -> bytes:
        """Return the newest record of an application as it travels."""
        subject = subjects.desired(ClusterName(edge.name), AppName(app))
        return (await JetStream(self._connection).last(DESIRED.name, subject)).data

    async def tell(self, edge: Edge, app: str, *records: bytes) -> None:
        """Publish records to an edge, one after the other."""
        for record in records:
            await self._connection.publish(subjects.desired(ClusterName(edge.name), AppName(app)), record)
        await self._connection.flush()


@asynccontextmanager
async def intruder(fleet: Fleet) -> AsyncIterator[Intruder]:
    """Come in with the registry's credentials."""
    async with connected(fleet.hub.settings("registry"), alone=True) as connection:
        yield Intruder(connection)


def opened(record: bytes) -> Desired:
    """Return what a record says, whoever signed it."""
    return Desired.unpack(record[signatures.SIGNATURE_BYTES :])


def forged(edge: Edge, app: str, desired: Desired) -> bytes:
    """Return a record that looks right and is signed by another hub's key."""
    return signatures.seal(signatures.generate_seed(), edge.name, app, desired.pack())


class Images:
    """Every image that a Deployment ever had on a cluster, in order: what must never run is seen even if it ran for a moment."""

    def __init__(self, edge: Edge, name: str) -> None:
        self.seen: list[str] = []
        self._edge, self._name = edge, name
        edge.cluster.state.store.listen(self._note)

    def stop(self) -> None:
        """Stop looking."""
        self._edge.cluster.state.store.ignore(self._note)

    def _note(self, change: object) -> None:
        one = getattr(change, "manifest", {})
        if (one["kind"], one["metadata"]["name"]) != ("Deployment", self._name):
            return
        image = one["spec"]["template"]["spec"]["containers"][0]["image"]
        if self.seen[-1:] != [image]:
            self.seen.append(image)


async def settled(fleet: Fleet) -> None:
    """Give a message that was published the time of a round trip over the same connections."""
    await asyncio.gather(*(_heard(fleet, edge) for edge in fleet.edges))


async def _heard(fleet: Fleet, edge: Edge) -> None:
    await ask(fleet.hub.connection, subjects.registry("app.refresh"), {"name": f"shop-{edge.name}"})
