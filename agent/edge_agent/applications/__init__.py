"""Applications on the cluster: one worker each, from what is desired to status."""

from edge_agent.applications.applications import Applications
from edge_agent.applications.model import (
    Approve,
    BundleLost,
    ClusterSettings,
    Desired,
    Generation,
    MemoryProgress,
    Operation,
    ProgressStore,
    Refresh,
    RequestRefused,
    Rollback,
    Selector,
    Settings,
    Sync,
    Terminate,
)

__all__ = [
    "Applications",
    "Approve",
    "BundleLost",
    "ClusterSettings",
    "Desired",
    "Generation",
    "MemoryProgress",
    "Operation",
    "ProgressStore",
    "Refresh",
    "RequestRefused",
    "Rollback",
    "Selector",
    "Settings",
    "Sync",
    "Terminate",
]
