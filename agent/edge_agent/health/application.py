"""An application's health: the worst of its objects'.

Kinds without a check don't count, nor does an object that says so itself
(`argocd.argoproj.io/ignore-healthcheck`). A missing object alone doesn't make an application unhealthy: that
it is OutOfSync says so already. Only when none of the objects that it should have is there, the application
is Missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.health.model import HEALTHY, MISSING, ORDER, Health, Status

if TYPE_CHECKING:
    from collections.abc import Iterable


def application_health(objects: Iterable[tuple[bool, Health | None]]) -> Health:
    """Return the application's health, given whether each object lives and the health that counts; with the
    message of the first of its worst objects.
    """
    worst: Status = HEALTHY
    message = ""
    total = lives = 0
    for live, health in objects:
        total += 1
        lives += live
        if live and health is not None and ORDER.index(health.status) > ORDER.index(worst):
            worst, message = health.status, health.message
    if total and not lives:
        return Health(MISSING)
    return Health(worst, message)
