"""Is a live object what is desired of it? Pure: objects in, verdicts and paths out. Values never leave."""

from edge_agent.diff.ignore import IgnoreRule, ignore_rules, ignored, with_live
from edge_agent.diff.owned import digest
from edge_agent.diff.verdict import LiveState, Verdict, changes, state_of, suspicion, verdict

__all__ = [
    "IgnoreRule",
    "LiveState",
    "Verdict",
    "changes",
    "digest",
    "ignore_rules",
    "ignored",
    "state_of",
    "suspicion",
    "verdict",
    "with_live",
]
