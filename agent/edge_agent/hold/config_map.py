"""Follow the ConfigMap by which anybody with `kubectl` on the site can hold: one name in one namespace, by a watch.

Where it can't be looked at, the agent goes on and says so; what it said last goes on until its end.
"""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent.cluster import ClusterError, Forbidden, Kind, Transient, follow
from edge_agent.hold.model import CONFIG_MAP
from edge_agent.hold.reading import from_config_map

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from datetime import datetime, tzinfo

    from edge_agent.cluster import Cluster, Object, Pace
    from edge_agent.hold.keeper import Keeper

_log = structlog.get_logger()

KIND = Kind("", "v1", "ConfigMap")


class Watched:
    """The ConfigMap as it stands. It is a `cluster.Follower`."""

    def __init__(
        self, keeper: Keeper, namespace: str, clock: Callable[[], datetime], zone: Callable[[], tzinfo]
    ) -> None:
        self._keeper, self._namespace, self._clock, self._zone = keeper, namespace, clock, zone
        self._listed = False
        self._read: Any = None
        # What was read last: a list that shows the same again is no news.
        self.asked = asyncio.Event()
        # Set once it is known what the ConfigMap says, or that it can't be known.

    async def follow(self, cluster: Cluster, pace: Pace, chance: random.Random) -> None:
        """Follow it, for ever; a fault of the agent's own ends nothing."""
        failures = 0
        while True:
            try:
                await follow(
                    cluster, KIND, "", self, pace, chance,
                    namespace=self._namespace, fields=f"metadata.name={CONFIG_MAP}",
                )  # fmt: skip
            except Exception as error:  # noqa: BLE001 a loop's boundary
                failures += 1
                _log.error("hold not followed", attempt=failures, trace=traceback.format_exc())
                self.asked.set()
                self._keeper.trouble(f"the agent failed on ConfigMap {CONFIG_MAP}: {type(error).__name__}")
                await asyncio.sleep(pace.refused.delay_s(failures - 1, chance))

    def listing(self) -> None:
        """Look whether it is there."""
        self._listed = False

    def seen(self, live: Object) -> None:
        """Read it, unless it is as it was."""
        metadata = live["metadata"]
        if metadata.get("name") != CONFIG_MAP:
            return
        self._listed = True
        read = (metadata.get("uid"), live.get("data"), metadata.get("managedFields"))
        if read != self._read:
            self._read = read
            self._keeper.config_map(*from_config_map(live, self._zone(), self._clock()))

    def listed(self, resource_version: str) -> None:
        """Take in that it is known."""
        if not self._listed:
            self._none()
        self.asked.set()

    def gone(self, live: Object) -> None:
        """Take in that it was deleted."""
        if live["metadata"].get("name") == CONFIG_MAP:
            self._none()

    def following(self) -> None:
        """Take in that every change is told from here on."""
        self._keeper.trouble("")

    def failing(self, error: ClusterError) -> None:
        """Take in that it can't be looked at. An API that is away is told by every application."""
        self.asked.set()
        if not isinstance(error, Transient):
            why = "the agent lacks the right to watch it" if isinstance(error, Forbidden) else str(error)
            place = f"ConfigMap {CONFIG_MAP} in namespace {self._namespace}"
            self._keeper.trouble(f"{place} has no effect: {why}")

    def _none(self) -> None:
        self._read = None
        self._keeper.config_map(None)
