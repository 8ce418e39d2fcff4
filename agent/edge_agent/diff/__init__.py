"""Is a live object what is desired of it, and where does it differ? Pure, but for jq, which has a process of its
own; values leave only masked.
"""

from edge_agent.diff.expressions import ExpressionFailed, Expressions
from edge_agent.diff.hiding import hidden, respected
from edge_agent.diff.ignore import Ignored, IgnoreRule, ignore_rules, ignored, site_rules
from edge_agent.diff.owned import digest
from edge_agent.diff.verdict import LiveState, Verdict, changes, state_of, suspicion, verdict

__all__ = [
    "ExpressionFailed",
    "Expressions",
    "IgnoreRule",
    "Ignored",
    "LiveState",
    "Verdict",
    "changes",
    "digest",
    "hidden",
    "ignore_rules",
    "ignored",
    "respected",
    "site_rules",
    "state_of",
    "suspicion",
    "verdict",
]
