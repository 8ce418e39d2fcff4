"""Bring a cluster to what is desired: options, order, tracking, and what a sync does next. Pure; requests
are made by `applications`.
"""

from edge_agent.sync.machine import Apply, Await, Doomed, Facts, Finished, Prune, Step, Validate, next_step
from edge_agent.sync.policy import Policy, policy_of
from edge_agent.sync.prepare import Entry, Prepared, Problem, kinds_in, prepare
from edge_agent.sync.results import Result
from edge_agent.sync.tracking import LABEL, claimed_by, tracked_to

__all__ = [
    "LABEL",
    "Apply",
    "Await",
    "Doomed",
    "Entry",
    "Facts",
    "Finished",
    "Policy",
    "Prepared",
    "Problem",
    "Prune",
    "Result",
    "Step",
    "Validate",
    "claimed_by",
    "kinds_in",
    "next_step",
    "policy_of",
    "prepare",
    "tracked_to",
]
