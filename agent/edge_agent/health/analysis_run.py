"""AnalysisRun and Experiment of Argo Rollouts: by their phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, UNKNOWN, Health, Status, section

if TYPE_CHECKING:
    from collections.abc import Mapping

_BY_PHASE: Mapping[str, Status] = {
    "": PROGRESSING,
    "Pending": PROGRESSING,
    "Running": PROGRESSING,
    "Successful": HEALTHY,
    "Failed": DEGRADED,
    "Error": DEGRADED,
}


def analysis_run(live: Mapping[str, Any]) -> Health:
    """Judge an AnalysisRun or an Experiment."""
    status = section(live, "status")
    phase = str(status.get("phase") or "")
    return Health(_BY_PHASE.get(phase, UNKNOWN), str(status.get("message") or phase))
