"""One agent, wired: the link fills the replica, the applications work from the replica, their status goes up the link.

Nothing here depends on the link: an agent that starts offline begins with what its replica holds.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog

from edge_agent.applications import Applications, ClusterSettings, Desired
from edge_agent.cluster import Access, Cluster
from edge_agent.commands.serve import Commands
from edge_agent.journal import Journal, Recorder
from edge_agent.link.budget import Budget
from edge_agent.link.inbound import Inbound
from edge_agent.link.journal import JournalSender
from edge_agent.link.outbound import Outbound
from edge_agent.link.outbox import Outbox
from edge_agent.link.resync import Resync
from edge_agent.replica import Bundles, Database, Held, Holdings, Progress, opened
from edge_agent.settings import Settings
from outrider import delta, subjects
from outrider.bus import Connection, connected
from outrider.identity import credentials
from outrider.messages import Generation
from outrider.names import AppName, cluster_name
from outrider.version import VERSION

log = structlog.get_logger()

EPOCH_META = "status_epoch"
MADE_META = "made_ms"


@dataclass(frozen=True)
class Replica:
    """The parts of the replica."""

    bundles: Bundles
    holdings: Holdings
    progress: Progress
    journal: Journal
    epoch: int
    # of this process's status batches: above every earlier one
    made_ms: int
    # Unix time of the file's making: the epoch of its journal

    @classmethod
    def over(cls, database: Database, now_ms: int) -> "Replica":
        """Return the parts over an open database, and note a fresh epoch in it."""
        bundles = Bundles(database)
        epoch = max(now_ms, database.meta(EPOCH_META) + 1)
        database.set_meta(EPOCH_META, epoch)
        made_ms = database.meta(MADE_META, now_ms)
        database.set_meta(MADE_META, made_ms)
        return cls(
            bundles, Holdings(database, bundles), Progress(database), Journal(database), epoch, made_ms
        )


async def run(
    settings: Settings, *, clock: Callable[[], float] = time.time, rng: random.Random | None = None
) -> None:
    """Run the agent. Ends only by cancellation or by the first loop that fails."""
    rng = rng or random.SystemRandom()
    identity = credentials.load(settings.credentials)
    bus = credentials.bus_settings(settings.credentials, settings.servers)
    with opened(settings.replica) as database:
        replica = Replica.over(database, round(clock() * 1000))
        access = Access(settings.kubeconfig, settings.context)
        async with Cluster(access) as cluster, connected(bus, rng=rng, wait=False) as connection:
            await work(settings, identity, replica, cluster, connection, clock=clock, rng=rng)


async def work(
    settings: Settings,
    identity: credentials.Credentials,
    replica: Replica,
    cluster: Cluster,
    connection: Connection,
    *,
    clock: Callable[[], float],
    rng: random.Random,
) -> None:
    """Run the loops of an agent over what is open already (many light agents may share a process)."""
    name, holdings = cluster_name(identity.user.name), replica.holdings
    outbox = Outbox(replica.epoch)
    sender = JournalSender(connection, name, replica.journal, replica.made_ms, time.monotonic)
    budget = Budget(settings.link)
    outbound = Outbound(
        connection, name, outbox, sender, budget, lambda: _expected(holdings), clock, rng, settings.outbound
    )
    recorder = Recorder(replica.journal, clock, outbound.journal_noted)
    recorder.started(VERSION)

    def on_status(app: str, document: dict[str, Any]) -> None:
        recorder.document(app, document)
        outbound.document(app, document)

    def on_removed(app: str, generation: tuple[int, int]) -> None:
        holdings.forget(AppName(app), Generation(*generation))
        recorder.removed(app)
        outbound.removed(app)

    async def obtain(digest: bytes) -> None:
        await inbound.obtain(digest)

    applications = Applications(
        cluster,
        store=replica.progress,
        on_status=on_status,
        on_removed=on_removed,
        obtain=obtain,
        manifests_of=lambda digest: replica.bundles.manifests_of(bytes.fromhex(digest)),
        chance=rng,
    )

    def on_accepted(held: Held) -> None:
        outbound.trouble(held.app, None)
        hand_over(held, replica, applications, settings.time_zone)

    inbound = Inbound(
        connection, name, list(identity.hub_keys), holdings, replica.bundles, on_accepted, outbound.trouble
    )
    commands = Commands(connection, name, applications, outbound.resend)
    await commands.start()
    applications.configure(ClusterSettings(time_zone=settings.time_zone))
    for held in sorted(holdings.all(), key=lambda held: held.app != subjects.SETTINGS):
        # Settings first: applications begin under them.
        hand_over(held, replica, applications, settings.time_zone)
    log.info("agent started", cluster=name, applications=len(applications.names()))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(applications.run(), name="applications")
        tasks.create_task(inbound.run(), name="inbound")
        tasks.create_task(Resync(connection, name, holdings, inbound).run(), name="resync")
        tasks.create_task(outbound.run(), name="outbound")
        tasks.create_task(tell_outages(connection, recorder), name="tell outages")


async def tell_outages(connection: Connection, recorder: Recorder) -> None:
    """Write down when the link is lost and when it is back, for ever."""
    while True:
        await connection.wait_connected()
        recorder.connected()
        await connection.wait_lost()
        recorder.disconnected()


def hand_over(held: Held, replica: Replica, applications: Applications, time_zone: str) -> None:
    """Give a record to its application's worker; the cluster's settings, to all. `time_zone`: where those name none."""
    record = held.record
    if held.app == subjects.SETTINGS:
        found = ClusterSettings.of(record.spec)
        applications.configure(replace(found, time_zone=found.time_zone or time_zone))
        return
    generation = (record.epoch, record.counter)
    if record.digest is None:
        applications.remove(held.app, record.uid.hex(), cascade=record.cascade, generation=generation)
        return
    digest = record.digest
    spec = dict(record.spec)
    applications.set_desired(
        Desired(
            app=held.app,
            uid=record.uid.hex(),
            generation=generation,
            revision=record.revision.hex() if isinstance(record.revision, bytes) else record.revision,
            digest=delta.short(digest).hex(),
            annotations=spec.pop("annotations", {}),
            spec=spec,
            cascade=record.cascade,
            manifests=lambda: replica.bundles.manifests(digest),
        )
    )


def _expected(holdings: Holdings) -> set[AppName]:
    # With those that are being removed: what is left out of a whole batch counts as gone.
    return {held.app for held in holdings.all()} - {subjects.SETTINGS}
