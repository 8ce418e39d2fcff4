"""Holds through their lives: begun by a command or by the ConfigMap, written down, told to the hub, ended when their time is over.

A hold that was asked for on the site is in the replica before it counts, and outlives the agent. What the ConfigMap said last is
kept there too, so that an agent that restarts while the Kubernetes API is away goes on holding. The loop sleeps until the next
hold ends; while there is one it looks at the site's clock once a minute, which may have been set. It ends only by cancellation.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent.hold.model import CONFIG_MAP, Hold, one_line
from edge_agent.replica import ReplicaUnwritable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from edge_agent.hold.holds import Holds, Key
    from edge_agent.hold.store import HoldStore
    from edge_agent.journal import Recorder
    from edge_agent.link.about import About

log = structlog.get_logger()

CLOCK_CHECK_S = 60.0
NAMES_TOLD = 20
WHOLE, OF_CONFIG_MAP = "site", "configmap"


def key_of(app: str) -> Key:
    """Return under what key an application's hold from the site stands; an empty name: the whole cluster's."""
    return f"{WHOLE}/{app}" if app else WHOLE


class Keeper:
    """Keeps the holds of one cluster. `on_change` is told whenever another set of them stands."""

    def __init__(
        self,
        holds: Holds,
        store: HoldStore,
        recorder: Recorder,
        about: About,
        applications: Callable[[], Collection[str]],
        on_change: Callable[[], None],
    ) -> None:
        """`applications`: the names of those on this cluster."""
        self._holds, self._store = holds, store
        self._recorder, self._about = recorder, about
        self._applications, self._on_change = applications, on_change
        self._changed = asyncio.Event()
        self._faults: tuple[str, ...] = ()
        self._trouble = ""

    def restore(self) -> None:
        """Take in what stood when the agent ended; what is over by now ends."""
        kept = self._store.all()
        for key, hold in kept.items():
            self._holds.put(key, hold)
        self._end({key: hold for key, hold in kept.items() if key not in self._holds.all()}, "expired")
        self._tell()

    async def run(self) -> None:
        """End holds when their time is over."""
        while True:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s()):
                    await self._changed.wait()
            self.look()

    def look(self) -> None:
        """Take in what time it is."""
        moved, ended = self._holds.follow_clock(), self._holds.take_ended()
        self._keep({key: hold for key, hold in moved.items() if key not in ended})
        self._end(ended, "expired")
        if moved or ended:
            self._announce()

    def hold(self, hold: Hold, then: Callable[[], dict[str, Any]] = dict) -> dict[str, Any]:
        """Hold from the site: its applications, or the whole cluster; return what `then`, done under it, does.

        Raises `ReplicaUnwritable`. If `then` raises, nothing was held.
        """
        each = {key_of(app): _about_one(hold, app) for app in sorted(hold.applications) or [""]}
        former = {key: self._holds.all().get(key) for key in each}
        self._place(each)
        try:
            answer = then()
        except BaseException:
            self._place(former)
            raise
        self._recorder.hold_began(_detail(hold))
        self._announce()
        return answer

    def _place(self, holds: Mapping[Key, Hold | None]) -> None:
        self._store.put(dict(holds))
        for key, hold in holds.items():
            self._holds.put(key, hold)

    def release(self, applications: Iterable[str], by: str) -> list[Hold]:
        """End holds from the site: those of some applications, or all; return them. Raises `ReplicaUnwritable`."""
        wanted = {key_of(app) for app in applications}
        standing = self._holds.all()
        going = {
            key: hold
            for key, hold in standing.items()
            if key != OF_CONFIG_MAP and (key in wanted or not wanted)
        }
        self._place(dict.fromkeys(going))
        self._record_end(going, "released", by)
        if going:
            self._announce()
        return list(going.values())

    def config_map(self, hold: Hold | None, faults: tuple[str, ...] = ()) -> None:
        """Take in what the ConfigMap says; None: there is none."""
        before = self._holds.all().get(OF_CONFIG_MAP)
        changed = self._holds.put(OF_CONFIG_MAP, hold)
        standing = self._holds.all().get(OF_CONFIG_MAP)
        self._faults = faults
        if changed:
            self._keep({OF_CONFIG_MAP: standing})
        if changed and standing is not None:
            self._recorder.hold_began(_detail(standing))
        elif changed and before is not None:
            self._record_end({OF_CONFIG_MAP: before}, "removed" if hold is None else "expired")
        if changed:
            self._announce()
        else:
            self._tell()

    def trouble(self, why: str) -> None:
        """Take in that the ConfigMap can't be looked at, empty: that it can."""
        if why != self._trouble:
            self._trouble = why
            self._tell()

    def listed(self) -> list[dict[str, Any]]:
        """Return the holds that stand as JSON values, each with its sentence, the one that ends last first."""
        return [
            {**hold.value(), "message": hold.sentence(self._holds.zone())} for hold in self._holds.listed()
        ]

    def problems(self) -> list[str]:
        """Return what is wrong with the ConfigMap, by key, or with the way to it."""
        found = [self._trouble] if self._trouble else []
        hold = self._holds.all().get(OF_CONFIG_MAP)
        absent = sorted((hold.applications if hold else set()) - set(self._applications()))
        if absent:
            more = f" and {len(absent) - NAMES_TOLD} more" if len(absent) > NAMES_TOLD else ""
            names = ", ".join(one_line(name, 80) for name in absent[:NAMES_TOLD])
            found.append(f"ConfigMap {CONFIG_MAP}: applications: {names}{more}: not on this cluster")
        return [*found, *(f"ConfigMap {CONFIG_MAP}: {fault}" for fault in self._faults)]

    def _pause_s(self) -> float | None:
        ends_in_s = self._holds.ends_in_s()
        return None if ends_in_s is None else min(ends_in_s, CLOCK_CHECK_S)

    def _end(self, ended: Mapping[Key, Hold], how: str) -> None:
        self._keep(dict.fromkeys(ended))
        self._record_end(ended, how)

    def _record_end(self, ended: Mapping[Key, Hold], how: str, by: str = "") -> None:
        for hold in ended.values():
            self._recorder.hold_ended(_detail(hold) | {"how": how} | ({"endedBy": by} if by else {}))

    def _keep(self, holds: Mapping[Key, Hold | None]) -> None:
        """Write down what came about by itself; on a full disk it is found out again."""
        if not holds:
            return
        try:
            self._store.put(dict(holds))
        except ReplicaUnwritable as error:
            log.warning("hold not written down", reason=str(error))

    def _announce(self) -> None:
        self._changed.set()
        self._tell()
        self._on_change()

    def _tell(self) -> None:
        standing, problems = self.listed(), self.problems()
        holds = [{name: value for name, value in one.items() if name != "message"} for one in standing]
        told = {"standing": holds, "problems": problems}
        self._about.tell("hold", {name: value for name, value in told.items() if value} or None)
        self._about.condition("Hold", "; ".join(f"{_whom(one)} {one['message']}" for one in standing))
        self._about.condition("HoldError", "; ".join(problems))


def _about_one(hold: Hold, app: str) -> Hold:
    return Hold(
        hold.source, hold.since, hold.until, hold.reason, hold.by,
        frozenset([app] if app else []), hold.lasts,
    )  # fmt: skip


def _detail(hold: Hold) -> dict[str, Any]:
    detail = hold.value()
    return {name: detail[name] for name in detail if name not in ("since", "lasts")}


def _whom(hold: Mapping[str, Any]) -> str:
    names = hold.get("applications") or ()
    more = f" and {len(names) - NAMES_TOLD} more" if len(names) > NAMES_TOLD else ""
    return f"{', '.join(names[:NAMES_TOLD])}{more}: " if names else "the whole cluster is"
