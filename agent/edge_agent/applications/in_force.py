"""The policy in force for an application: its spec's, with what the cluster's settings and its annotations say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge_agent.sync import Policy, policy_of

if TYPE_CHECKING:
    from edge_agent.applications.model import Desired
    from edge_agent.applications.surroundings import Surroundings

SKIP = "argocd.argoproj.io/skip-reconcile"


def policy_in_force(desired: Desired | None, around: Surroundings) -> Policy:
    """Return how the application is synced now."""
    if desired is None:
        return Policy()
    policy = policy_of(desired.spec, around.site.ignore_differences)
    return replace(policy, automated=False) if is_skipped(desired) else policy


def is_skipped(desired: Desired) -> bool:
    """Say whether the application is to be left alone. Its status is told all the same: Argo CD's would be old."""
    return desired.annotations.get(SKIP) == "true"
