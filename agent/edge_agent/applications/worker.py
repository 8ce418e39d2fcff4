"""One worker per application: inputs in, passes, a timer.

A worker runs while there is something to do and ends when there is not; an input or an event starts it again.
Inputs that come while a pass runs are taken in by the next one, however many they are: the newest desired
state, the newest request, one look at whatever changed. Passes of one application never overlap; those of
different ones know nothing of each other, and a fault in one stays there.

This is the one place that maps an error to a time to look again.
"""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING

import structlog

from edge_agent.applications.document import report
from edge_agent.applications.model import (
    BundleLost,
    Desired,
    Generation,
    Operation,
    Removal,
    RequestRefused,
    Rollback,
    Sync,
    Terminate,
)
from edge_agent.applications.reconcile import reconcile
from edge_agent.applications.removal import remove
from edge_agent.applications.requested import refusal, take_all
from edge_agent.applications.sight import Blind
from edge_agent.applications.state import State, set_error
from edge_agent.cluster import Kind, Transient

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.applications.surroundings import Surroundings

_log = structlog.get_logger()


class Worker:
    """One application's worker."""

    def __init__(self, app: str, around: Surroundings, finished: Callable[[Worker], None]) -> None:
        """`finished` is told when the application is removed, nothing of it is left, and nothing newer is known of it."""
        self.state = State(app)
        self._around = around
        self._finished = finished
        self._tasks: asyncio.TaskGroup | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = False
        self._newest: Desired | Removal | None = None
        self._desired: Desired | None = None
        self._requests: list[Operation] = []
        self._failures = 0
        self._failing_since_s = 0.0

    @property
    def generation(self) -> Generation:
        """The newest generation taken in."""
        return self._newest.generation if self._newest else (-1, -1)

    @property
    def ends(self) -> bool:
        """Whether the application's end is the newest that is known of it."""
        return isinstance(self._newest, Removal)

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Let passes begin from here on."""
        self._tasks = tasks
        self._begin()

    def stop(self) -> None:
        """Let no pass begin any more."""
        self._tasks = None
        self._cancel_timer()

    def desire(self, desired: Desired) -> None:
        """Take in what the application should be, unless something newer is known."""
        if desired.generation < self.generation:
            return
        self._newest = self._desired = desired
        self.wake()

    def remove(self, removal: Removal) -> None:
        """Take in the application's end, unless something newer is known."""
        if removal.generation < self.generation:
            return
        self._newest = removal
        self.wake()

    def request(self, operation: Operation) -> None:
        """Take in what somebody asks for. Raises `RequestRefused`."""
        state = self.state
        why = refusal(operation, self._newest, self._requests, state, self._around)
        if why:
            raise RequestRefused(why)
        if isinstance(operation, Terminate) and state.running is not None:
            state.running.cut = "is being terminated"
        self._requests.append(operation)
        self.wake()

    def is_taken(self, request_id: str) -> bool:
        """Say whether a sync or rollback is written down, or over: nothing that happens now loses it."""
        return not any(isinstance(one, Sync | Rollback) and one.id == request_id for one in self._requests)

    def is_over(self, request_id: str) -> bool:
        """Say whether a sync or rollback is neither to be done any more, nor under way."""
        progress = self.state.progress
        asked = progress.request if progress is not None else None
        return self.is_taken(request_id) and (asked is None or asked.id != request_id)

    def held_anew(self) -> None:
        """Take in that another hold stands, or none: what is under way gives way at its next step, to be decided anew."""
        if self.state.running is not None:
            self.state.running.cut = "waits: the site's holds have changed"
        self.wake()

    def left_behind(self, kinds: frozenset[Kind]) -> None:
        """Take in the kinds that were found to hold objects of the application."""
        self.state.searching = False
        if self.state.progress is not None:
            self.state.progress.kinds |= kinds
        self.wake()

    def wake(self) -> None:
        """Have a pass made: something changed."""
        self._due = True
        self._begin()

    def _begin(self) -> None:
        if self._due and self._tasks is not None and self._task is None:
            self._task = self._tasks.create_task(self._work(), name=f"application {self.state.app}")

    async def _work(self) -> None:
        try:
            while self._due:
                self._due = False
                self._cancel_timer()
                wait_s = await self._pass()
                self._around.on_passed(self.state.app)
                if wait_s is not None and not self._due:
                    self._timer = asyncio.get_running_loop().call_later(wait_s, self.wake)
        finally:
            self._task = None

    async def _pass(self) -> float | None:
        """Make one pass; return after how many seconds the next is due at the latest."""
        state, settings = self.state, self._around.settings
        try:
            self._take_newest()
            if self._requests:
                await take_all(self._requests, state, self._around)
                self._around.on_passed(state.app)
            if state.removal is not None:
                wait_s = await self._remove()
            else:
                wait_s = await reconcile(state, self._around) if state.desired else None
        except Blind as blind:
            return self._look_again(blind)
        except Transient as error:
            return self._try_again(error)
        except BundleLost as lost:
            return self._await_bundle(lost)
        except Exception as error:  # noqa: BLE001 a loop's boundary: one application's fault must not stop the others
            self._failures += 1
            # No local variables: a manifest may be among them, and a Secret's values in it.
            _log.error("pass failed", app=state.app, attempt=self._failures, trace=traceback.format_exc())
            set_error(state, "UnknownError", f"the agent failed on this application: {type(error).__name__}")
            report(state, state.index, self._around)
            return settings.bug_retry.delay_s(self._failures - 1, self._around.chance)
        self._failures = 0
        return wait_s

    def _await_bundle(self, lost: BundleLost) -> float:
        """Do without a bundle that was damaged: `bundle_held` tells when it is there again."""
        state, settings = self.state, self._around.settings
        set_error(state, "BundleError", str(lost))
        report(state, state.index, self._around)
        if state.other is None:
            return settings.unwatched_s
        # The one that somebody asked for is looked for anew.
        state.other = None
        self._failures += 1
        return settings.api_retry.delay_s(self._failures - 1, self._around.chance)

    def bundle_held(self) -> None:
        """Take in that a bundle which was lost is held again."""
        set_error(self.state, "BundleError", "")
        self.wake()

    def write_again(self, *, everything: bool) -> None:
        """Have written down how far the application came, where that failed, or in any case."""
        if everything:
            self.state.written = b""
        if everything or "StorageError" in self.state.errors:
            self.wake()

    def _look_again(self, blind: Blind) -> float | None:
        """Wait for the watches, which wake the worker."""
        return self._admit(blind.reason, blind.for_s) if blind.for_s is not None else None

    def _try_again(self, error: Transient) -> float:
        """Nothing was decided: make another pass soon."""
        now_s = asyncio.get_running_loop().time()
        self._failing_since_s = now_s if self._failures == 0 else self._failing_since_s
        self._failures += 1
        _log.info("pass cut short", app=self.state.app, reason=str(error), attempt=self._failures)
        self._admit(str(error), now_s - self._failing_since_s)
        delay_s = self._around.settings.api_retry.delay_s(self._failures - 1, self._around.chance)
        return max(delay_s, error.retry_after_s or 0.0)

    def _admit(self, reason: str, for_s: float) -> float | None:
        """Say that the cluster can't be asked, once that has lasted; return after how many seconds it will
        have.
        """
        grace_s = self._around.settings.grace_s
        if for_s < grace_s:
            return grace_s - for_s
        set_error(self.state, "ComparisonError", reason)
        report(self.state, self.state.index, self._around, blind=True)
        return None

    def _take_newest(self) -> None:
        """A pass is about one desired state from its beginning to its end."""
        if isinstance(self._newest, Removal):
            self.state.removal = self._newest
            # The end may overtake the state that it ends.
            self.state.desired = self.state.desired or self._desired
        else:
            self.state.desired, self.state.removal = self._newest, None

    async def _remove(self) -> float | None:
        removal = self.state.removal
        if await remove(self.state, self._around):
            if self._newest is removal:
                # Whatever wakes it from here on, another one may work under its name.
                self.stop()
                self._due = False
                self._finished(self)
            return None
        due_s = self.state.retry_at_s - asyncio.get_running_loop().time()
        if due_s > 0:
            return due_s
        return self._around.settings.unwatched_s if self.state.errors else None

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
