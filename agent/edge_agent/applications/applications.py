"""All applications of the agent: inputs to their workers, events from the cluster to whom they concern.

Guarantees: an application's inputs are taken in in order and the newest counts; nothing is applied that is
older than what was; each application makes progress whatever another does. The loop ends only by
cancellation; what it was doing then goes on with the next process, from the progress store.
"""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from edge_agent.applications.inventory import Inventory
from edge_agent.applications.leftovers import Leftovers
from edge_agent.applications.model import (
    ClusterSettings,
    Desired,
    Generation,
    Operation,
    ProgressStore,
    Refresh,
    Removal,
    Settings,
)
from edge_agent.applications.state import State, set_error
from edge_agent.applications.surroundings import Surroundings, no_bundles, no_link, nobody
from edge_agent.applications.watches import Watched, Watches
from edge_agent.applications.worker import Worker
from edge_agent.cluster import Cluster, Key, Kind, Object, Pace
from edge_agent.health import Checks
from edge_agent.hold.holds import Holds, nothing_held

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


RequestStage = Literal["asked", "taken", "over"]
"""`taken`: written down, so that it outlives the agent; `over`: done, failed or refused."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _nothing(app: str, generation: Generation) -> None:
    pass


class Applications:
    """The agent's Kubernetes side. `run` works; the other methods may be called before and meanwhile, from
    the same event loop.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        store: ProgressStore,
        on_status: Callable[[str, dict[str, Any]], None],
        on_removed: Callable[[str, Generation], None] = _nothing,
        obtain: Callable[[bytes], Awaitable[None]] = no_link,
        manifests_of: Callable[[str], list[Object]] = no_bundles,
        holds: Holds | None = None,
        on_passed: Callable[[str], None] = nobody,
        settings: Settings | None = None,
        pace: Pace | None = None,
        clock: Callable[[], datetime] = _utc_now,
        chance: random.Random | None = None,
    ) -> None:
        """`on_status` is told an application's status document when it changed; `on_removed` when a
        removal is done, `on_passed` of each pass, and of requests that were written down. `obtain` has a bundle held, by digest; `manifests_of` loads
        one, by short digest. `holds` says what the site holds back.
        """
        settings, chance = settings or Settings(), chance or random.Random()  # noqa: S311 jitter, no secret
        self._workers: dict[str, Worker] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._chance = chance
        self._settings = settings
        inventory = Inventory(self._changed)
        self._around = Surroundings(
            cluster=cluster,
            inventory=inventory,
            watches=Watches(cluster, inventory, self._turned, pace or Pace(), chance),
            store=store,
            settings=settings,
            clock=clock,
            chance=chance,
            on_status=on_status,
            on_removed=on_removed,
            desired_elsewhere=self._desired_elsewhere,
            leftovers=Leftovers(cluster, self._left_behind),
            obtain=obtain,
            manifests_of=manifests_of,
            holds=holds or nothing_held(),
            on_passed=on_passed,
        )

    async def run(self) -> None:
        """Keep every application as it is desired. Ends only by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._around.watches.start(tasks)
            retry = self._settings.api_retry
            tasks.create_task(
                self._around.leftovers.run(lambda failures: retry.delay_s(failures - 1, self._chance)),
                name="leftovers",
            )
            tasks.create_task(self._around.expressions.run(), name="jq expressions")
            for worker in list(self._workers.values()):
                worker.start(tasks)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                # Before the tasks are cancelled: what they still tell must not start another.
                self._tasks = None
                for worker in self._workers.values():
                    worker.stop()

    def set_desired(self, desired: Desired) -> None:
        """Say what an application should be. Idempotent; an older generation than known is ignored."""
        self._worker(desired.app).desire(desired)

    def remove(
        self, app: str, uid: str, *, cascade: bool, generation: Generation, propagation: str = "foreground"
    ) -> None:
        """Say that an application ends; `on_removed` tells when it is done. An older generation than known
        is ignored.
        """
        self._worker(app).remove(Removal(app, uid, cascade, generation, propagation))

    def configure(self, settings: ClusterSettings) -> None:
        """Set what holds for the cluster as a whole; every application looks again."""
        before, self._around.site = self._around.site, settings
        if settings == before:
            return
        if settings.health != before.health:
            self._judge_by(Checks(settings.health))
        hard = settings.ignore_differences != before.ignore_differences
        for worker in self._workers.values():
            worker.request(Refresh(hard))

    def _judge_by(self, checks: Checks) -> None:
        watches, inventory = self._around.watches, self._around.inventory
        stale = checks.differing(inventory.checks, [watched.sort for watched in watches.all()])
        inventory.checks = checks
        for sort in stale:
            watches.relist(sort)

    def request(self, app: str, operation: Operation) -> None:
        """Ask something of an application. Raises `KeyError` for one that isn't known, `RequestRefused` with
        a sentence where it can't be done.
        """
        self._workers[app].request(operation)

    def stage_of(self, app: str, request_id: str) -> RequestStage:
        """Say how far a sync or rollback that was asked for is."""
        worker = self._workers.get(app)
        if worker is None or worker.is_over(request_id):
            return "over"
        return "taken" if worker.is_taken(request_id) else "asked"

    def held_anew(self) -> None:
        """Have every application look at what is held: another hold stands, or one has ended."""
        for worker in self._workers.values():
            worker.held_anew()

    @property
    def time_zone(self) -> str:
        """The site's, as far as it is set."""
        return self._around.site.time_zone

    def document(self, app: str) -> dict[str, Any] | None:
        """Return an application's last status document."""
        worker = self._workers.get(app)
        return worker.state.document if worker else None

    def about(self, app: str) -> tuple[State, Surroundings]:
        """Return what is known of an application, for who looks and changes nothing. Raises `KeyError`."""
        return self._workers[app].state, self._around

    def note(self, app: str, condition: str, message: str) -> None:
        """Set a condition of an application, or with an empty message clear it."""
        worker = self._workers.get(app)
        if worker is not None:
            set_error(worker.state, condition, message)
            worker.wake()

    def bundle_held(self, short_digest: str) -> None:
        """Go on where a bundle was missing: it is held again."""
        for worker in self._workers.values():
            if worker.state.desired is not None and worker.state.desired.digest == short_digest:
                worker.bundle_held()

    def bundles_in_use(self) -> set[str]:
        """Return the short digests of what passes are about; from any thread."""
        states = [worker.state for worker in list(self._workers.values())]
        desired = {state.desired.digest for state in states if state.desired}
        return desired | {state.running.digest for state in states if state.running and state.running.digest}

    def write_again(self, *, everything: bool) -> None:
        """Write down how far applications came: those of which it could not be written, or all of them."""
        for worker in self._workers.values():
            worker.write_again(everything=everything)

    def names(self) -> list[str]:
        """Return the applications that are known."""
        return sorted(self._workers)

    def _worker(self, app: str) -> Worker:
        worker = self._workers.get(app)
        if worker is None:
            worker = self._workers[app] = Worker(app, self._around, self._finished)
            if self._tasks is not None:
                worker.start(self._tasks)
        return worker

    def _finished(self, worker: Worker) -> None:
        """Forget an application that is gone."""
        del self._workers[worker.state.app]

    def _changed(self, key: Key, named: set[str]) -> None:
        """Wake whom an object concerns: those that it names or named, and those that want it."""
        if key.kind == "CustomResourceDefinition":
            self._around.cluster.discovery.forget(key.name.partition(".")[2])
        for app, worker in self._workers.items():
            if app in named or (worker.state.index is not None and key in worker.state.index.entries):
                worker.wake()

    def _turned(self, watched: Watched) -> None:
        for app in watched.users:
            if app in self._workers:
                self._workers[app].wake()

    def _left_behind(self, app: str, kinds: frozenset[Kind]) -> None:
        if app in self._workers:
            self._workers[app].left_behind(kinds)

    def _desired_elsewhere(self, key: Key, app: str) -> bool:
        return any(
            key in worker.state.index.entries
            for name, worker in self._workers.items()
            if name != app and worker.state.index is not None and not worker.ends
        )
