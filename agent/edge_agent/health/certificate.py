"""cert-manager's Certificate: ready; Progressing while one is being issued, be the present one good or bad."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.conditions import Rule, by_conditions
from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, Health

if TYPE_CHECKING:
    from collections.abc import Mapping

_RULES: tuple[Rule, ...] = (
    ("Issuing", "True", PROGRESSING),
    ("Ready", "False", DEGRADED),
    ("Ready", "True", HEALTHY),
)


def certificate(live: Mapping[str, Any]) -> Health:
    """Judge a Certificate."""
    return by_conditions(live, _RULES, "the certificate has not been issued yet")
