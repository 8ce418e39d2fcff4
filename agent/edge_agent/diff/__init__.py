"""Is a live object what is desired of it? Pure: objects in, verdicts and paths out. Values never leave."""

from edge_agent.diff.ignore import IgnoreRule, ignore_rules, ignored, with_live
from edge_agent.diff.owned import digest, owned_digest
from edge_agent.diff.verdict import Verdict, changes, suspicion

__all__ = [
    "IgnoreRule",
    "Verdict",
    "changes",
    "digest",
    "ignore_rules",
    "ignored",
    "owned_digest",
    "suspicion",
    "with_live",
]
