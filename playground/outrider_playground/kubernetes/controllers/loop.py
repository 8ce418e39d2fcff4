"""Runs all controllers of one cluster from one timer: no task per object, none at all while nothing changes.

A change marks the keys that it concerns as dirty. After `delay_s` every dirty key is reconciled once, however many changes there were. A reconcile
may ask to be called again later. It runs without awaiting, so that it sees one state of the store; a long row of keys is cut into slices
between which requests are served.
"""

from __future__ import annotations

import asyncio
import heapq
from abc import ABC, abstractmethod
from itertools import count
from typing import TYPE_CHECKING, Final

import structlog

from ..errors import ApiError
from ..store import Change, Key, Storage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..state import State

log = structlog.get_logger()

_SLICE_S: Final = 0.005
"""How long reconciling may keep requests waiting."""

_RETRY_S: Final = 0.5
"""When to try again what was refused."""


class Controller(ABC):
    """Brings the world closer to what one kind of object wants."""

    watches: tuple[Storage, ...] | None = None
    """The resources whose changes concern it; None for all."""

    @abstractmethod
    def keys(self, change: Change) -> Iterable[Key]:
        """Name the objects to reconcile after a change."""

    @abstractmethod
    def reconcile(self, key: Key) -> float | None:
        """Reconcile one object, which may be gone by now. Return in how many seconds to be called again, or None."""


_Item = tuple[Controller, Key]


class ControllerLoop:
    """The controllers of one cluster."""

    def __init__(self, state: State, delay_s: float) -> None:
        self._state = state
        self._delay_s = delay_s
        self._by_storage: dict[Storage, list[Controller]] = {}
        self._of_all: list[Controller] = []
        self._dirty: dict[_Item, None] = {}
        self._later: list[tuple[float, int, _Item]] = []
        self._order = count()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._held = False
        self.failure: Exception | None = None
        """The first error that is a controller's own fault."""

    def add(self, *controllers: Controller) -> None:
        """Add controllers, before the start."""
        for controller in controllers:
            if controller.watches is None:
                self._of_all.append(controller)
            for storage in controller.watches or ():
                self._by_storage.setdefault(storage, []).append(controller)

    def start(self) -> None:
        """Begin, with every object that there is. Needs a running event loop."""
        self._loop = asyncio.get_running_loop()
        self._state.store.listen(self._note)
        for storage, key, manifest in self._state.store.everything():
            self._mark(storage, key, manifest)
        self._schedule()

    def settle(self, storage: Storage) -> None:
        """Do at once what is left to do for one resource."""
        for item in [item for item in self._dirty if storage in (item[0].watches or ())]:
            del self._dirty[item]
            self._reconcile(item)

    def stop(self) -> None:
        """End; what is dirty is found again by the next start."""
        if self._loop is None:
            return
        self._state.store.ignore(self._note)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop = None
        self._dirty.clear()
        self._later.clear()

    def hold(self) -> None:
        """Let changes pile up without acting on them."""
        self._held = True

    def release(self) -> None:
        """Act on changes again."""
        self._held = False
        self._schedule()

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do but what waits for its time."""
        return not self._dirty

    def _mark(self, storage: Storage, key: Key, manifest: dict[str, object]) -> None:
        self._note(Change(self._state.store.version, storage, key, manifest, None))

    def _note(self, change: Change) -> None:
        for controller in (*self._by_storage.get(change.storage, ()), *self._of_all):
            for key in controller.keys(change):
                self._dirty[controller, key] = None
        self._schedule()

    def _schedule(self) -> None:
        """Set the timer for what is due first."""
        if self._loop is None or self._held:
            return
        due = self._loop.time() + self._delay_s if self._dirty else None
        if self._later and (due is None or self._later[0][0] < due):
            due = self._later[0][0]
        if due is None or (self._timer is not None and self._timer.when() <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._run)

    def _run(self) -> None:
        self._timer = None
        if self._loop is None or self._held:
            return
        now = self._loop.time()
        while self._later and self._later[0][0] <= now:
            self._dirty[heapq.heappop(self._later)[2]] = None
        try:
            while self._dirty and self._loop.time() - now < _SLICE_S:
                item = next(iter(self._dirty))
                del self._dirty[item]
                self._reconcile(item)
        finally:
            self._schedule()

    def _reconcile(self, item: _Item) -> None:
        controller, key = item
        words = {"controller": type(controller).__name__, "key": "/".join(key)}
        again_s: float | None = None
        try:
            again_s = controller.reconcile(key)
        except ApiError as error:
            # a terminating namespace takes nothing in any more; all else is worth another try
            again_s = None if error.code in {403, 404} else _RETRY_S
            log.debug("controller refused", **words, problem=str(error))
        except Exception as error:
            # nobody awaits a timer: the cluster raises this at its end, the other controllers go on until then
            self.failure = self.failure or error
            log.exception("controller failed", **words)
        if again_s is not None and self._loop is not None:
            heapq.heappush(self._later, (self._loop.time() + again_s, next(self._order), item))
