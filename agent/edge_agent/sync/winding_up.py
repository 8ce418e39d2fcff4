"""How a sync ends that went wrong, and what is left of its hooks however it ended. Pure.

A failure once something was touched: hooks that run are waited for, then `Fail` has it written down; the SyncFail
hooks run, all at the same time; hooks whose delete policy names the outcome go. Policies judge the sync, not the
single hook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.sync import hooks as hook_policies
from edge_agent.sync.steps import Await, Clean, Fail, Finished, RunHooks
from outrider.manifests import phases

if TYPE_CHECKING:
    from edge_agent.cluster.names import Key
    from edge_agent.sync.hooks import Hook
    from edge_agent.sync.results import Result
    from edge_agent.sync.steps import Facts, Step


def fail(message: str, facts: Facts) -> Step:
    """End a sync that went wrong: at once where nothing is to be wound up."""
    if not facts.hooks or not (facts.touched or facts.runs):
        return Finished(False, message)
    begun = [hook for hook in facts.hooks if is_begun(hook, facts)]
    return await_runs(begun, facts) or Fail(message)


def wind_up(facts: Facts) -> Step:
    """Run the hooks of a failed sync, then end it."""
    hooks = [hook for hook in facts.hooks if hook.phase == phases.SYNC_FAIL]
    begin = tuple(hook for hook in hooks if is_to_create(hook, facts) and is_free(hook, facts))
    if begin:
        return RunHooks(begin, (phases.place(phases.SYNC_FAIL), begin[0].wave))
    waits = await_runs(hooks, facts) or clean(hook_policies.FAILED, facts)
    if waits:
        return waits
    failed = [facts.runs[hook.id] for hook in hooks if facts.runs[hook.id].state == "Failed"]
    more = "".join(f"; SyncFail hook {title(run.key)} failed: {run.message}" for run in failed)
    return Finished(False, facts.failure + more)


def clean(policy: str, facts: Facts) -> Step | None:
    """Delete the hooks whose policies say so."""
    hooks = tuple(
        hook
        for hook in facts.hooks
        if policy in hook.policies and is_over(hook, facts) and not facts.runs[hook.id].cleaned
    )
    return Clean(hooks) if hooks else None


def await_runs(hooks: list[Hook], facts: Facts) -> Step | None:
    """Wait for the hooks that were begun; None where all have ended."""
    waits = [
        (hook, facts.runs[hook.id]) for hook in hooks if hook.id in facts.runs and not is_over(hook, facts)
    ]
    if not waits:
        return None
    hook, run = waits[0]
    more = f" and {len(waits) - 1} more" if waits[1:] else ""
    said = f": {run.message}" if run.message else ""
    return Await(
        tuple(run.key for _, run in waits), f"waits for {hook.phase} hook {title(run.key)}{more}{said}"
    )


def failed_hook(facts: Facts) -> str:
    """Return which hook has failed and why; empty: none."""
    for hook in facts.hooks:
        run = facts.runs.get(hook.id)
        if run and run.state == "Failed" and hook.phase != phases.SYNC_FAIL:
            return f"{hook.phase} hook {title(run.key)} failed: {run.message}"
    return ""


def failure(failed: list[Result]) -> str:
    """Return what is said of objects that failed."""
    first = failed[0]
    named = f"{title(first.key)}: {first.message}"
    return named if len(failed) == 1 else f"{named} (and {len(failed) - 1} more objects failed)"


def is_begun(hook: Hook, facts: Facts) -> bool:
    """Say whether a hook was created in this sync."""
    return hook.id in facts.runs and facts.runs[hook.id].state not in ("Clearing", "Creating")


def is_to_create(hook: Hook, facts: Facts) -> bool:
    """Say whether a hook has yet to be created."""
    return not is_begun(hook, facts)


def is_free(hook: Hook, facts: Facts) -> bool:
    """Say whether nothing is in a hook's way."""
    run = facts.runs.get(hook.id)
    return run is None or run.state != "Clearing" or not facts.present(run.key)


def is_over(hook: Hook, facts: Facts) -> bool:
    """Say whether a hook has ended."""
    return hook.id in facts.runs and facts.runs[hook.id].over


def title(key: Key) -> str:
    """Return what an object is called in a sentence."""
    return f"{key.kind} {key.name}"


def named(keys: list[Key]) -> str:
    """Return the first of some objects, and how many there are besides."""
    return str(keys[0]) + (f" and {len(keys) - 1} more" if keys[1:] else "")
