"""The agent's own copy of what it should run: one SQLite file, the source of truth while the hub is away."""

from edge_agent.replica.bundles import Bundles
from edge_agent.replica.database import Database, ReplicaDamaged, ReplicaUnwritable, opened
from edge_agent.replica.holdings import Held, Holdings
from edge_agent.replica.progress import Progress
from edge_agent.replica.renderings import Archived, Rendered, Renderings

__all__ = [
    "Archived",
    "Bundles",
    "Database",
    "Held",
    "Holdings",
    "Progress",
    "Rendered",
    "Renderings",
    "ReplicaDamaged",
    "ReplicaUnwritable",
    "opened",
]
