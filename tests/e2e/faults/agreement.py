"""One question at the end of every story: do all who hold something hold the same?

Git as it is, the Desired record in the hub's stream, the bundle in its store, the edge's replica on disk, the objects on its cluster,
the status documents as the edge sends them and as the hub hands them out: compared byte for byte where both sides hold bytes, and
each difference is named.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.faults.differences import between, lacking
from tests.e2e.faults.edge_side import Replica, Said, ask_for_everything, live_objects, read_replica
from tests.e2e.faults.journals import journal_differences
from tests.e2e.faults.rendered import rendered

from outrider import codec, delta, subjects
from outrider.bus import BusError, Connection, NotFound, connected
from outrider.bus.jetstream import JetStream
from outrider.bus.objects import Objects
from outrider.bus.services import RequestRefused, ask
from outrider.identity import credentials
from outrider.identity.signatures import ForgedRecord, unseal
from outrider.messages import Desired
from outrider.names import AppName, ClusterName
from outrider.topology import BUNDLES, DESIRED
from outrider_playground.demo import content
from outrider_playground.demo.edge import Edge
from outrider_playground.demo.fleet import Fleet

WITHIN_S = 120.0
BUNDLE_MAX_BYTES = 64 << 20
ASK_WITHIN_S = 20.0


@dataclass(frozen=True)
class Wanted:
    """An application that people want: its folder, and what it is to be like at the end."""

    cluster: str
    path: str
    healthy: bool = True


def demo_applications(fleet: Fleet) -> dict[str, Wanted]:
    """Return what the demo's fleet is to run."""
    return {
        f"{path}-{edge.name}": Wanted(edge.name, path)
        for edge in fleet.edges
        for path in content.APPLICATIONS
    }


class Disagreement(AssertionError):
    """Sides that should agree don't; the message names each difference."""

    def __init__(self, differences: list[str]) -> None:
        self.differences = differences
        super().__init__("\n  ".join([f"{len(differences)} differences:", *differences[:40]]))


async def agree(
    fleet: Fleet,
    wanted: dict[str, Wanted] | None = None,
    *,
    leftovers: frozenset[tuple[str, str]] = frozenset(),
    within_s: float = WITHIN_S,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Wait until all sides agree; Disagreement with what differs if they don't in time.

    `wanted`: the demo's applications if left out. `leftovers`: (cluster, application) whose objects may be there unwanted.
    """
    applications = demo_applications(fleet) if wanted is None else wanted
    comparison = Comparison(fleet, applications, leftovers)
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s), _hub_side(fleet) as hub:
            while not await comparison.agrees(hub):
                say(f"not yet: {comparison.found[0]}")
                # What differs is told by no event: look again soon.
                await asyncio.sleep(0.5)
            return
    raise Disagreement([*comparison.found, f"at the end: {comparison.doing}"])


@dataclass(frozen=True)
class HubSide:
    """Connections as those of the hub who may read what is compared."""

    registry: Connection
    aggregator: Connection
    keys: list[bytes]


@asynccontextmanager
async def _hub_side(fleet: Fleet) -> AsyncIterator[HubSide]:
    hub = fleet.hub
    person = credentials.load(hub.state / "credentials" / "person.creds")
    async with (
        connected(hub.settings("registry"), alone=True) as registry,
        connected(hub.settings("aggregator"), alone=True) as aggregator,
    ):
        yield HubSide(registry, aggregator, list(person.hub_keys))


@dataclass
class Comparison:
    """What is compared, and what was found."""

    fleet: Fleet
    wanted: dict[str, Wanted]
    leftovers: frozenset[tuple[str, str]]
    found: list[str] = field(default_factory=list)
    # by the last comparison that came to its end
    doing: str = "connecting to the hub"

    async def agrees(self, hub: HubSide) -> bool:
        """Compare once."""
        try:
            self.found = await self._differences(hub)
        except (BusError, RequestRefused) as error:
            self.found = [f"{self.doing}: {error}"]
        return not self.found

    async def _differences(self, hub: HubSide) -> list[str]:
        self.doing = "asking the hub for its list"
        found = await _shown(self.fleet, self.wanted)
        if found:
            # Something is under way: the rest would only say so at greater length.
            return found
        for edge in self.fleet.edges:
            self.doing = f"comparing {edge.name}"
            found += await _edge_differences(self.fleet, hub, edge, self.wanted, self.leftovers)
        return found


async def _shown(fleet: Fleet, wanted: dict[str, Wanted]) -> list[str]:
    """Return what the hub's own list says is not as it should be."""
    known = {item["name"]: item for item in await fleet.hub.applications()}
    found = [f"{name}: the hub does not list it" for name in wanted.keys() - known.keys()]
    found += [f"{name}: the hub lists it, nobody wants it" for name in known.keys() - wanted.keys()]
    for name in sorted(known.keys() & wanted.keys()):
        item, should = known[name], wanted[name]
        expected = {"cluster": should.cluster, "freshness": "fresh", "presence": "online", "delivered": True}
        if should.healthy:
            expected |= {"health": "Healthy", "sync": "Synced", "message": ""}
        found += [f"{name}: hub{one}" for one in lacking(expected, item)]
    return found


async def _edge_differences(
    fleet: Fleet,
    hub: HubSide,
    edge: Edge,
    wanted: dict[str, Wanted],
    leftovers: frozenset[tuple[str, str]],
) -> list[str]:
    cluster = ClusterName(edge.name)
    here = {name: one for name, one in wanted.items() if one.cluster == edge.name}
    replica = await asyncio.to_thread(read_replica, edge)
    live = live_objects(edge)
    there = {app for app in live if app in here or (edge.name, app) not in leftovers}
    try:
        async with asyncio.timeout(ASK_WITHIN_S):
            said = await ask_for_everything(hub.aggregator, cluster)
    except TimeoutError:
        return [f"{edge.name}: does not send its documents"]
    found = list(_sets(edge, here, replica, said, there))
    for name, one in sorted(here.items()):
        bundle, problems = await _record_differences(hub, cluster, AppName(name), replica)
        found += problems
        git = await asyncio.to_thread(rendered, fleet.repository.folder, one.path, name)
        found += _bundle_differences(name, git, bundle)
        found += _live_differences(name, git, live.get(name, {}))
        found += await _document_differences(fleet, name, dict(said.by_name()).get(name))
    journal = await journal_differences(fleet.hub, edge.name, replica)
    return [*found, *journal]


def _sets(edge: Edge, here: dict[str, Wanted], replica: Replica, said: Said, live: set[str]) -> Iterator[str]:
    """Yield what one side has and another lacks."""
    held = {app for app in replica.records if not app.startswith("$")}
    documents = {app for app, _ in said.by_name() if not app.startswith("$")}
    for side, apps in (("replica", held), ("status documents", documents), ("live objects", live)):
        yield from (f"{app}: not in the {side} of {edge.name}" for app in sorted(here.keys() - apps))
        yield from (
            f"{app}: in the {side} of {edge.name}, nobody wants it" for app in sorted(apps - here.keys())
        )


async def _record_differences(
    hub: HubSide, cluster: ClusterName, app: AppName, replica: Replica
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the manifests in the bundle that the newest record names, and how the record's holders differ."""
    try:
        stored = await JetStream(hub.registry).last(DESIRED.name, subjects.desired(cluster, app))
        record = Desired.unpack(unseal(stored.data, hub.keys, cluster, app))
    except (NotFound, ForgedRecord) as error:
        return [], [f"{app}: no Desired record of this hub: {error}"]
    held = replica.records.get(app)
    if held is None or record.digest is None:
        return [], [f"{app}: its record is a tombstone, or not held"]
    found = []
    for name in ("uid", "generation", "spec", "revision", "digest", "cascade"):
        theirs, ours = getattr(record, name), getattr(held.record, name)
        found += list(between(f"{app}: record.{name} at the hub and in the replica", theirs, ours))
    if held.record.generation > replica.complete:
        found.append(f"{app}: generation {held.record.generation} is above the frontier {replica.complete}")
    data, problems = await _bundle(hub, app, record.digest, replica)
    manifests = codec.unpack(data, max_bytes=BUNDLE_MAX_BYTES) if data else []
    return manifests, [*found, *problems]


async def _bundle(hub: HubSide, app: str, digest: bytes, replica: Replica) -> tuple[bytes, list[str]]:
    """Return a bundle's bytes, the same at the hub and at the edge."""
    frame = await Objects(hub.registry, BUNDLES).get(digest.hex())
    data = delta.decompress(frame, max_bytes=BUNDLE_MAX_BYTES)
    found = []
    if delta.digest(data) != digest:
        found.append(f"{app}: the hub's bundle {digest.hex()[:12]} has another digest")
    if replica.bundles.get(digest) != data:
        found.append(f"{app}: the replica's bundle {digest.hex()[:12]} is missing or another")
    return data, found


def _bundle_differences(
    app: str, git: dict[tuple[str, str, str], dict[str, Any]], manifests: list[dict[str, Any]]
) -> Iterator[str]:
    bundle = {(one["apiVersion"], one["kind"], one["metadata"]["name"]): one for one in manifests}
    yield from between(f"{app}: bundle and Git", git, bundle)


def _live_differences(
    app: str,
    git: dict[tuple[str, str, str], dict[str, Any]],
    live: dict[tuple[str, str, str], dict[str, Any]],
) -> Iterator[str]:
    for key in live.keys() - git.keys():
        yield f"{app}: {key[1]} {key[2]} is live and not in Git"
    for key, manifest in git.items():
        if key not in live:
            yield f"{app}: {key[1]} {key[2]} is in Git and not live"
            continue
        yield from (f"{app}: live {key[1]} {key[2]}{one}" for one in lacking(manifest, live[key]))


async def _document_differences(fleet: Fleet, app: str, said: bytes | None) -> list[str]:
    if said is None:
        return [f"{app}: the edge sends no document"]
    answer = await ask(fleet.hub.connection, subjects.status_query("app"), {"name": app})
    if codec.canonical(answer["document"]) == said:
        return []
    return list(
        between(f"{app}: document at the edge and at the hub", codec.unpack(said), answer["document"])
    )
