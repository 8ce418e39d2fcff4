"""HorizontalPodAutoscaler: able to scale; Degraded when it can't read its target or its metrics.

Version 1 has its conditions in an annotation, as JSON; the others in their status.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, Health, section

if TYPE_CHECKING:
    from collections.abc import Mapping

_V1_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"

_BROKEN = {
    "AbleToScale": {"FailedGetScale", "FailedUpdateScale"},
    "ScalingActive": {
        "FailedComputeMetricsReplicas",
        "FailedGetExternalMetric",
        "FailedGetObjectMetric",
        "FailedGetPodsMetric",
        "FailedGetResourceMetric",
        "InvalidSelector",
    },
}
_WORKING = ("AbleToScale", "ScalingLimited")


def horizontal_pod_autoscaler(live: Mapping[str, Any]) -> Health:
    """Judge a HorizontalPodAutoscaler. Raises `ValueError` when version 1's annotation is no JSON."""
    found = _conditions(live)
    for condition in found:
        if condition.get("reason") in _BROKEN.get(str(condition.get("type")), ()):
            return Health(DEGRADED, str(condition.get("message") or ""))
    for condition in found:
        if condition.get("type") in _WORKING and condition.get("status") == "True":
            return Health(HEALTHY, str(condition.get("message") or ""))
    return Health(PROGRESSING, "has not scaled yet")


def _conditions(live: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if live.get("apiVersion") == "autoscaling/v1":
        return list(json.loads(section(section(live, "metadata"), "annotations").get(_V1_CONDITIONS) or "[]"))
    return list(section(live, "status").get("conditions") or ())
