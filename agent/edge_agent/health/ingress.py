"""Ingress: waits for its address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import HEALTHY, PROGRESSING, Health
from edge_agent.health.service import has_address

if TYPE_CHECKING:
    from collections.abc import Mapping


def ingress(live: Mapping[str, Any]) -> Health:
    """Judge an Ingress."""
    return Health(HEALTHY) if has_address(live) else Health(PROGRESSING, "waits for an address")
