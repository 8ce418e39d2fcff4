"""The nodes of a cluster: pods get a place, start, end and stop after the delays set. One object for all pods, no task for any."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from ..resources import builtin
from .actor import Actor
from .conditions import Conditions, with_condition
from .containers import Fate, container_statuses, fate_of, missing_configuration
from .loop import Controller

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..settings import Settings
    from ..state import State
    from ..store import Change, Key
    from ..values import Manifest

PODS: Final = builtin("v1", "Pod")
NODES: Final = builtin("v1", "Node")
_RECHECK_S: Final = 0.5
"""How often a pod that waits for a ConfigMap or Secret looks for it again."""


class NodeController(Controller):
    """Runs pods."""

    watches = (PODS.storage,)

    def __init__(self, state: State, settings: Settings) -> None:
        self._state = state
        self._settings = settings
        self._actor = Actor(state, "kubelet")
        self._due: dict[str, float] = {}
        """By uid: when a pod's next step is due, on the loop's clock."""

    def keys(self, change: Change) -> Iterable[Key]:
        """Name the pod."""
        if change.deleted:
            self._due.pop(change.manifest["metadata"]["uid"], None)
        return [change.key]

    def reconcile(self, key: Key) -> float | None:
        """Take a pod one step further, once the time for it has come."""
        live = self._state.store.get(PODS.storage, key)
        if live is None:
            return None
        if live["metadata"].get("deletionTimestamp"):
            return self._after(live, self._settings.stop_delay_s, "stop")
        if self._settings.start_delay_s is None:
            return None
        phase = live["status"].get("phase")
        if phase == "Pending":
            return self._after(live, self._settings.start_delay_s, "start")
        if phase == "Running" and fate_of(live["spec"], self._settings) in {Fate.SUCCEEDS, Fate.FAILS}:
            return self._after(live, self._settings.run_s, "end")
        return None

    def _after(self, live: Manifest, delay_s: float, step: str) -> float | None:
        now = asyncio.get_running_loop().time()
        due = self._due.setdefault(f"{live['metadata']['uid']}/{step}", now + delay_s)
        if now < due:
            return due - now
        return self._steps[step](self, live)

    def _start(self, live: Manifest) -> float | None:
        spec, now = live["spec"], self._state.now()
        missing = missing_configuration(self._state, live)
        fate = Fate.WAITS if missing else fate_of(spec, self._settings)
        running = fate in {Fate.RUNS, Fate.SUCCEEDS, Fate.FAILS}
        status: dict[str, Any] = {
            **live["status"],
            "phase": "Running" if running else "Pending",
            "conditions": _conditions(live["status"].get("conditions"), ready=running, now=now),
            "startTime": live["status"].get("startTime", now),
            "containerStatuses": container_statuses(live, self._settings, now, missing),
            "hostIP": "192.168.0.1",
            "observedGeneration": live["metadata"].get("generation", 1),
        }
        if running:
            address = live["status"].get("podIP") or self._state.pod_address()
            status |= {"podIP": address, "podIPs": [{"ip": address}]}
        bound = {**live, "spec": {**spec, "nodeName": spec.get("nodeName") or self._place(live)}}
        if bound["spec"] != spec or status != live["status"]:
            self._actor.update_status(PODS, bound, status, spec=bound["spec"])
        return _RECHECK_S if missing else None

    def _place(self, live: Manifest) -> str:
        names: list[str] = [node["metadata"]["name"] for node in self._state.store.listed(NODES.storage)]
        return self._state.chance.choice(names or ["node-1"])

    def _end(self, live: Manifest) -> None:
        now = self._state.now()
        failed = fate_of(live["spec"], self._settings) is Fate.FAILS
        status = {
            **live["status"],
            "phase": "Failed" if failed else "Succeeded",
            "conditions": _conditions(
                live["status"].get("conditions"), ready=False, now=now, reason="PodCompleted"
            ),
            "containerStatuses": container_statuses(live, self._settings, now, "", ended=True),
        }
        self._actor.update_status(PODS, live, status)

    def _stop(self, live: Manifest) -> None:
        self._actor.delete(PODS, live, policy="", grace_s=0)

    _steps: Final = {"start": _start, "end": _end, "stop": _stop}


def _conditions(before: Conditions | None, *, ready: bool, now: str, reason: str = "") -> Conditions:
    conditions = before
    for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"):
        holds = ready or kind in {"Initialized", "PodScheduled"}
        made: dict[str, Any] = {"type": kind, "status": "True" if holds else "False"}
        if not holds:
            made["reason"] = reason or "ContainersNotReady"
        conditions = with_condition(conditions, made, now)
    return conditions or []
