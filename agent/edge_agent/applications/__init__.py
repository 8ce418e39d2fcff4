"""Applications on the cluster: one worker each, from what is desired to status."""

from edge_agent.applications.applications import Applications
from edge_agent.applications.model import (
    Desired,
    Generation,
    MemoryProgress,
    Operation,
    ProgressStore,
    Refresh,
    Selector,
    Settings,
    Sync,
)

__all__ = [
    "Applications",
    "Desired",
    "Generation",
    "MemoryProgress",
    "Operation",
    "ProgressStore",
    "Refresh",
    "Selector",
    "Settings",
    "Sync",
]
