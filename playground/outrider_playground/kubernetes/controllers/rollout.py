"""The arithmetic of a Deployment's rollout: pure, on plain numbers and objects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..ages import read_time
from .conditions import condition

if TYPE_CHECKING:
    from datetime import datetime

    from ..values import Manifest

PROGRESSING: Final = "Progressing"
AVAILABLE: Final = "Available"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a rollout may stray from the wanted number of pods."""

    surge: int
    unavailable: int


def bounds(spec: dict[str, Any]) -> Bounds:
    """Resolve maxSurge (rounded up) and maxUnavailable (rounded down); they can't both be 0."""
    wanted = spec["replicas"]
    if spec["strategy"].get("type") == "Recreate":
        return Bounds(0, 0)
    rolling = spec["strategy"].get("rollingUpdate") or {}
    surge = _share(rolling.get("maxSurge", "25%"), wanted, math.ceil)
    unavailable = _share(rolling.get("maxUnavailable", "25%"), wanted, math.floor)
    return Bounds(surge, unavailable or (1 if surge == 0 else 0))


def _share(value: int | str, whole: int, rounding: Any) -> int:
    if isinstance(value, int):
        return value
    return int(rounding(int(value.rstrip("%")) * whole / 100))


def new_replicas(spec: dict[str, Any], current: int, total: int) -> int:
    """Return how many pods the current template may have, given all pods of all templates."""
    wanted: int = spec["replicas"]
    if spec["strategy"].get("type") == "Recreate" or current >= wanted:
        return wanted
    room = wanted + bounds(spec).surge - total
    return current if room <= 0 else min(current + room, wanted)


def scaled_down(spec: dict[str, Any], old: list[tuple[int, int]], new: tuple[int, int]) -> list[int]:
    """Return the replicas of the old templates after one step. Pairs are (replicas, available), the oldest template first.

    Pods that are not available go first; others go as far as enough stay available.
    """
    replicas = [each for each, _ in old]
    budget = sum(replicas) + new[0] - (spec["replicas"] - bounds(spec).unavailable) - (new[0] - new[1])
    for place, (wanted, available) in enumerate(old):
        dead = min(max(wanted - available, 0), max(budget, 0))
        replicas[place] -= dead
        budget -= dead
    spare = sum(min(have, available) for have, (_, available) in zip(replicas, old, strict=True)) + new[1]
    spare -= spec["replicas"] - bounds(spec).unavailable
    for place, have in enumerate(replicas):
        gone = min(have, max(spare, 0))
        replicas[place] -= gone
        spare -= gone
    return replicas


def counts(generation: int, sets: list[Manifest], current: Manifest | None) -> dict[str, int]:
    """Add up what the ReplicaSets report; numbers that are 0 are left out where the server leaves them out."""
    total = sum(each["status"].get("replicas", 0) for each in sets)
    ready = sum(each["status"].get("readyReplicas", 0) for each in sets)
    available = sum(each["status"].get("availableReplicas", 0) for each in sets)
    wanted = sum(each["spec"]["replicas"] for each in sets)
    updated = current["status"].get("replicas", 0) if current is not None else 0
    numbers = {
        "replicas": total,
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": available,
        "unavailableReplicas": max(wanted - available, 0),
    }
    out = {"observedGeneration": generation, **{name: number for name, number in numbers.items() if number}}
    out["terminatingReplicas"] = sum(each["status"].get("terminatingReplicas", 0) for each in sets)
    return out


def is_complete(spec: dict[str, Any], status: dict[str, Any]) -> bool:
    """Whether all pods wanted are there, of the current template, and available."""
    wanted = spec["replicas"]
    return all(status.get(name, 0) == wanted for name in ("updatedReplicas", "replicas", "availableReplicas"))


def made_progress(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether the rollout got further between two reports."""

    def old_pods(status: dict[str, Any]) -> int:
        return int(status.get("replicas", 0) - status.get("updatedReplicas", 0))

    grown = any(
        after.get(name, 0) > before.get(name, 0)
        for name in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    return grown or old_pods(after) < old_pods(before)


def timed_out(spec: dict[str, Any], before: dict[str, Any], now: datetime) -> bool:
    """Whether there was no progress for longer than the deadline."""
    found = condition(before.get("conditions"), PROGRESSING)
    if found is None or found.get("reason") == "NewReplicaSetAvailable":
        return False
    if found.get("reason") == "ProgressDeadlineExceeded":
        return True
    return remaining_s(spec, found, now) < 0


def remaining_s(spec: dict[str, Any], progressing: dict[str, Any], now: datetime) -> float:
    """Return how long the rollout may still stand still."""
    passed = (now - read_time(progressing["lastUpdateTime"])).total_seconds()
    return float(spec.get("progressDeadlineSeconds", 600)) - passed
