"""The agent's own copy of what it should run: one SQLite file, the source of truth while the hub is away."""

from edge_agent.replica.bundles import Bundles
from edge_agent.replica.database import Database, opened
from edge_agent.replica.errors import ReplicaDamaged, ReplicaUnwritable
from edge_agent.replica.holdings import Held, Holdings
from edge_agent.replica.losses import Loss
from edge_agent.replica.progress import Progress
from edge_agent.replica.renderings import Archived, Rendered, Renderings
from edge_agent.replica.writes import Writes

__all__ = [
    "Archived",
    "Bundles",
    "Database",
    "Held",
    "Holdings",
    "Loss",
    "Progress",
    "Rendered",
    "Renderings",
    "ReplicaDamaged",
    "ReplicaUnwritable",
    "Writes",
    "opened",
]
