"""One agent's link and replica, wired to one another: what comes down goes to the applications, their status goes up.

Nothing here depends on the hub: what the replica holds is handed over at the start, whether or not there is a link.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from edge_agent import upkeep
from edge_agent.applications import BundleLost, ClusterSettings, Desired
from edge_agent.journal import Journal, Recorder
from edge_agent.link.about import About
from edge_agent.link.allowance import Allowance
from edge_agent.link.inbound import Inbound
from edge_agent.link.journal import JournalSender
from edge_agent.link.outbound import Outbound
from edge_agent.link.outbox import Outbox
from edge_agent.link.resync import Resync
from edge_agent.rendering.outcome import RendersNothing, Standing, awaiting
from edge_agent.replica import Bundles, Database, Held, Holdings, Progress, Renderings, ReplicaUnwritable
from edge_agent.settings import Settings
from outrider import delta, subjects
from outrider.bus import Connection
from outrider.bus.connection import RETURN_WINDOW_S
from outrider.identity import credentials
from outrider.messages import READS_BRIEF, Generation, ResyncAnswer
from outrider.messages import Desired as Record
from outrider.names import AppName, cluster_name
from outrider.version import VERSION

EPOCH_META = "status_epoch"
NO_BUNDLE = b""
# The digest of a record that holds none: what it is about is rendered here.


@dataclass(frozen=True)
class Replica:
    """The parts of the replica."""

    database: Database
    bundles: Bundles
    holdings: Holdings
    renderings: Renderings
    progress: Progress
    journal: Journal
    epoch: int
    # of this process's status batches: above every earlier one

    @classmethod
    def over(cls, database: Database, now_ms: int) -> "Replica":
        """Return the parts over an open database, and note a fresh epoch in it."""
        bundles = Bundles(database)
        epoch = max(now_ms, database.meta(EPOCH_META) + 1)
        with suppress(ReplicaUnwritable):
            # Where it can't be noted, the clock alone says that the next one is above it.
            database.set_meta(EPOCH_META, epoch)
        return cls(
            database,
            bundles,
            Holdings(database, bundles),
            Renderings(database, bundles),
            Progress(database),
            Journal(database),
            epoch,
        )


class Workloads(upkeep.Workloads, Protocol):
    """What runs the applications, as far as link and replica need to know."""

    def configure(self, settings: ClusterSettings) -> None:
        """Set what holds for the cluster as a whole."""

    def set_desired(self, desired: Desired) -> None:
        """Say what an application should be."""

    def remove(
        self, app: str, uid: str, *, cascade: bool, generation: tuple[int, int], propagation: str
    ) -> None:
        """Say that an application ends."""


class RendersHere(Protocol):
    """What renders the applications whose records hold no bundle."""

    def want(self, app: AppName, record: Record) -> None:
        """Take in a record without a bundle."""

    def forget(self, app: AppName) -> None:
        """The hub renders an application, or it ends."""

    def again(self, app: AppName) -> None:
        """What an application was rendered to is lost: make it again."""

    def standing(self, app: AppName) -> Standing:
        """Return what an application is at."""


class Edge:
    """One agent's link and replica, wired to one another and, by `start`, to what runs the applications."""

    def __init__(
        self,
        settings: Settings,
        identity: credentials.Credentials,
        replica: Replica,
        connection: Connection,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self.name = cluster_name(identity.user.name)
        self.connection, self.replica, self._time_zone = connection, replica, settings.time_zone
        self._clock, self._rng = clock, rng
        self.hub_keys = list(identity.hub_keys)
        self.about = About()
        self.allowance = Allowance(settings.link, clock, replica.database, self.about)
        connection.knock_every_s = self.allowance.knock_every_s
        sender = JournalSender(connection, self.name, replica.journal, time.monotonic)
        self._outbox = Outbox(replica.epoch, is_whole=replica.holdings.is_whole)
        self.outbound = Outbound(
            connection, self.name, self._outbox, sender, self.allowance, self._expected, clock, rng,
            settings.outbound, self.about.refresh, self._on_acknowledged,
        )  # fmt: skip
        self.inbound = Inbound(
            connection, self.name, self.hub_keys, replica.holdings, replica.bundles, self.allowance,
            self._on_accepted, self.outbound.trouble, self._on_bundle,
        )  # fmt: skip
        self.recorder = Recorder(replica.journal, clock, self.outbound.journal_noted)
        self.upkeep = upkeep.Upkeep(replica.database, replica.journal, self.about, self, clock)
        self.link_turned_at = self.now()
        # since when the link is up, or down
        self._ended: dict[AppName, Generation] = {}
        # tombstones that were carried out, which the replica keeps until the hub knows
        self._known_gone: set[AppName] = set()
        # those of them that it knows of
        self._workloads: Workloads | None = None
        self._rendering: RendersHere = RendersNothing()

    def now(self) -> datetime:
        """Return the time by the site's clock."""
        return datetime.fromtimestamp(self._clock(), UTC)

    def on_status(self, app: str, document: dict[str, Any]) -> None:
        """An application's status became another."""
        self.recorder.document(app, document)
        self.outbound.document(app, document)

    def on_removed(self, app: str, generation: tuple[int, int]) -> None:
        """An application's removal was carried out. ReplicaUnwritable: it must be said again."""
        self.replica.holdings.end(AppName(app), Generation(*generation))
        self._ended[AppName(app)] = Generation(*generation)
        self.recorder.removed(app)
        self.outbound.removed(app)

    def manifests_of(self, short_digest: str) -> list[dict[str, Any]]:
        """Return the manifests of a bundle that is held; KeyError otherwise. Blocks."""
        return self.replica.bundles.manifests(bytes.fromhex(short_digest))

    def start(self, workloads: Workloads, rendering: RendersHere | None = None) -> None:
        """Give them what the replica holds, and from here on what comes; the settings first, since they begin under them.

        `rendering` gets the records without a bundle; without it, nothing is rendered here.
        """
        self._workloads = workloads
        self._rendering = rendering or self._rendering
        self.upkeep.start(workloads)
        self.replica.bundles.in_use = workloads.bundles_in_use
        self.recorder.started(VERSION)
        self.about.on_change = self.outbound.about
        self.about.tell("agent", {"version": VERSION, "started_at": _rfc3339(self._clock())})
        workloads.configure(ClusterSettings(time_zone=self._time_zone))
        for held in sorted(self.replica.holdings.all(), key=lambda held: held.app != subjects.SETTINGS):
            self._hand_over(held, workloads)

    def rendered(self, app: AppName) -> None:
        """What an application is at that is rendered here became another: hand it to its worker, or tell why there is nothing."""
        held = self.replica.holdings.get(app)
        if held is None or held.record.digest != NO_BUNDLE or self._workloads is None:
            return
        standing = self._rendering.standing(app)
        if standing.rendered is None:
            self.on_status(app, awaiting(held.record, standing))
        else:
            desired = _desired(app, held.record, standing.rendered.digest, self.replica.bundles)
            self._workloads.set_desired(
                replace(
                    desired,
                    revision=standing.rendered.revision,
                    conditions=standing.conditions,
                    is_rendered_here=True,
                )
            )
            self._workloads.bundle_held(delta.short(standing.rendered.digest).hex())

    async def run(self) -> None:
        """Keep the link. Ends only by cancellation or by the first loop that fails."""
        resync = Resync(
            self.connection, self.name, self.replica.holdings, self.inbound, self.allowance, self._rng,
            on_answer=self._on_hub, on_step=self.outbound.in_step,
        )  # fmt: skip
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.inbound.run(), name="inbound")
            tasks.create_task(resync.run(), name="resync")
            tasks.create_task(self.outbound.run(), name="outbound")
            tasks.create_task(tell_outages(self.connection, self.recorder, self._turned), name="tell outages")
            tasks.create_task(self.upkeep.run(), name="upkeep")

    def _turned(self) -> None:
        self.link_turned_at = self.now()

    def _on_hub(self, answer: ResyncAnswer) -> None:
        """Take in what the hub says of itself."""
        self.connection.return_window_s = max(RETURN_WINDOW_S, answer.window_ms / 1000)
        self._outbox.is_brief = answer.reads >= READS_BRIEF

    def _on_acknowledged(self, gone: list[AppName]) -> None:
        """Drop the tombstones that have served; one that can't be dropped yet is tried again with the next batch."""
        self._known_gone |= self._ended.keys() & set(gone)
        for app in list(self._known_gone):
            with suppress(ReplicaUnwritable):
                self.replica.holdings.forget(app, self._ended[app])
                self._known_gone.discard(app)
                del self._ended[app]

    def _on_accepted(self, held: Held) -> None:
        self._ended.pop(held.app, None)
        self._known_gone.discard(held.app)
        self.outbound.trouble(held.app, None)
        if self._workloads is not None:
            self._hand_over(held, self._workloads)

    def begin_again(self) -> None:
        """Ask the hub for all that there is, from nothing on."""
        self.outbound.begin_again()
        self.inbound.begin_again()

    def fetch_again(self, digest: bytes) -> bool:
        """Have a bundle again that is lost. False: nothing needs it, or that is under way."""
        rendered = self.replica.renderings.at(digest)
        for app in rendered:
            self.render_again(app)
        if rendered:
            return True
        return self.replica.bundles.is_needed(digest) and self.inbound.fetch_again(digest)

    def render_again(self, app: str) -> None:
        """Have what an application was rendered to here again."""
        self._rendering.again(AppName(app))

    def note(self, app: str, details: list[dict[str, Any]]) -> None:
        """Write down that something of the replica was lost."""
        self.recorder.rebuilt(app, details)

    def hurry(self) -> None:
        """What was gathered is written: it may be sent."""
        self.outbound.journal_noted()

    def _on_bundle(self, digest: bytes) -> None:
        if self._workloads is not None:
            self._workloads.bundle_held(delta.short(digest).hex())

    def _hand_over(self, held: Held, workloads: Workloads) -> None:
        """Give a record to its application's worker; the cluster's settings, to all."""
        record = held.record
        generation = (record.epoch, record.counter)
        if held.app == subjects.SETTINGS:
            self.allowance.configure(record.spec.get("link"))
            self.connection.knock_every_s = self.allowance.knock_every_s
            self.outbound.wake()
            found = ClusterSettings.of(record.spec)
            workloads.configure(replace(found, time_zone=found.time_zone or self._time_zone))
        elif record.digest == NO_BUNDLE:
            self._rendering.want(held.app, record)
            self.rendered(held.app)
        elif held.is_ended:
            self._ended[held.app] = held.generation
            self.outbound.removed(held.app)
        elif record.digest is None:
            self._rendering.forget(held.app)
            workloads.remove(
                held.app,
                record.uid.hex(),
                cascade=record.cascade,
                generation=generation,
                propagation=str(record.spec.get("propagation") or "foreground"),
            )
        else:
            self._rendering.forget(held.app)
            workloads.set_desired(_desired(held.app, record, record.digest, self.replica.bundles))

    def _expected(self) -> set[AppName]:
        # With those that are being removed: what is left out of a whole batch counts as gone.
        return {held.app for held in self.replica.holdings.all()} - self._ended.keys() - {subjects.SETTINGS}


def _rfc3339(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def tell_outages(connection: Connection, recorder: Recorder, turned: Callable[[], None]) -> None:
    """Write down when the link is lost and when it is back, for ever; `turned` is told either."""
    while True:
        await connection.wait_connected()
        turned()
        recorder.connected()
        await connection.wait_lost()
        turned()
        recorder.disconnected()


def _desired(app: AppName, record: Record, digest: bytes, bundles: Bundles) -> Desired:
    spec = dict(record.spec)
    return Desired(
        app=app,
        uid=record.uid.hex(),
        generation=(record.epoch, record.counter),
        revision=record.revision.hex() if isinstance(record.revision, bytes) else record.revision,
        digest=delta.short(digest).hex(),
        annotations=spec.pop("annotations", {}),
        spec=spec,
        cascade=record.cascade,
        manifests=lambda: _manifests(bundles, digest),
    )


def _manifests(bundles: Bundles, digest: bytes) -> list[dict[str, Any]]:
    try:
        return bundles.manifests(digest)
    except KeyError as error:
        bundles.missed(digest)
        raise BundleLost from error
