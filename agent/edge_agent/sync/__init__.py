"""Bring a cluster to what is desired: options, order, hooks, tracking, and what a sync does next. Pure;
requests are made by `applications`.
"""

from edge_agent.sync.hooks import Hook, Run
from edge_agent.sync.machine import next_step
from edge_agent.sync.policy import Policy, policy_of
from edge_agent.sync.prepare import Entry, Prepared, Problem, kinds_in, prepare
from edge_agent.sync.results import Result
from edge_agent.sync.steps import (
    Apply,
    Await,
    Clean,
    Doomed,
    Facts,
    Fail,
    Finished,
    Prune,
    RunHooks,
    Stage,
    Step,
    Validate,
)
from outrider.manifests.phases import is_hook
from outrider.manifests.tracking import LABEL, claimed_by, tracked_to

__all__ = [
    "LABEL",
    "Apply",
    "Await",
    "Clean",
    "Doomed",
    "Entry",
    "Facts",
    "Fail",
    "Finished",
    "Hook",
    "Policy",
    "Prepared",
    "Problem",
    "Prune",
    "Result",
    "Run",
    "RunHooks",
    "Stage",
    "Step",
    "Validate",
    "claimed_by",
    "is_hook",
    "kinds_in",
    "next_step",
    "policy_of",
    "prepare",
    "tracked_to",
]
