"""Health of live objects and of applications, by Argo CD's documented semantics, and what a person may have
done to an object. Pure: plain objects in, verdicts and changes out.
"""

from edge_agent.health.application import application_health
from edge_agent.health.checks import Checks, check
from edge_agent.health.model import (
    DEGRADED,
    HEALTHY,
    MISSING,
    PROGRESSING,
    SUSPENDED,
    UNKNOWN,
    Health,
    Status,
    worst,
)

__all__ = [
    "DEGRADED",
    "HEALTHY",
    "MISSING",
    "PROGRESSING",
    "SUSPENDED",
    "UNKNOWN",
    "Checks",
    "Health",
    "Status",
    "application_health",
    "check",
    "worst",
]
