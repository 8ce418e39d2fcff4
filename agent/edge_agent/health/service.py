"""Service: one of type LoadBalancer waits for its address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import HEALTHY, PROGRESSING, Health, section

if TYPE_CHECKING:
    from collections.abc import Mapping


def service(live: Mapping[str, Any]) -> Health:
    """Judge a Service."""
    if section(live, "spec").get("type") != "LoadBalancer" or has_address(live):
        return Health(HEALTHY)
    return Health(PROGRESSING, "waits for a load balancer's address")


def has_address(live: Mapping[str, Any]) -> bool:
    """Say whether a load balancer has given the object an address."""
    return bool(section(section(live, "status"), "loadBalancer").get("ingress"))
