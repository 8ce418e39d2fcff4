"""Strimzi's kinds (Kafka, KafkaTopic, KafkaUser, …): ready, or not and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.conditions import said
from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, Health, conditions

if TYPE_CHECKING:
    from collections.abc import Mapping


def strimzi(live: Mapping[str, Any]) -> Health:
    """Judge an object of Strimzi's."""
    found = conditions(live)
    not_ready = found.get("NotReady", {})
    if not_ready.get("status") == "True" and not_ready.get("reason") != "Creating":
        return Health(DEGRADED, said(not_ready))
    if found.get("Ready", {}).get("status") == "True":
        return Health(HEALTHY)
    return Health(PROGRESSING, "the operator has not made it ready yet")
