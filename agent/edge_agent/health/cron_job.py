"""CronJob: by how its last run ended, as far as its status tells.

A suspended one is Healthy, with a message: being off is no state that anything waits out. A run that goes on,
or a first one whose end isn't known, tells nothing against it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, Health, section

if TYPE_CHECKING:
    from collections.abc import Mapping


def cron_job(live: Mapping[str, Any]) -> Health:
    """Judge a CronJob."""
    if section(live, "spec").get("suspend") is True:
        return Health(HEALTHY, "is suspended")
    if live.get("status") is None:
        return Health(PROGRESSING, "the controller has not seen it yet")
    status = section(live, "status")
    scheduled, succeeded = status.get("lastScheduleTime"), status.get("lastSuccessfulTime")
    if not scheduled:
        return Health(HEALTHY, "has not run yet")
    if not succeeded:
        return Health(HEALTHY, "no run has succeeded yet, as far as is known")
    if status.get("active"):
        return Health(HEALTHY, "runs")
    # Both are RFC 3339 in UTC to the second, so they compare as text.
    if str(succeeded) < str(scheduled):
        return Health(DEGRADED, f"its run of {scheduled} did not succeed")
    return Health(HEALTHY, "its last run succeeded")
