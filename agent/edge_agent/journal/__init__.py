"""What happened at this edge, in order, kept through outages: the hub can tell what a shop did while nobody heard from it."""

from edge_agent.journal.entry import Entry, Kind
from edge_agent.journal.observe import observed
from edge_agent.journal.record import Recorder
from edge_agent.journal.store import Journal

__all__ = ["Entry", "Journal", "Kind", "Recorder", "observed"]
