"""The end of an application: its objects deleted, last wave and kind first, or left as they are.

With cascade: first the PreDelete hooks run, and nothing is deleted before they have succeeded; then the objects
go; then the PostDelete hooks run; then hooks whose delete policy says so go. Without cascade nothing is touched
and no hook runs. A removal is done when all of that is; while the site holds the application, nothing more of it is begun. Killed in between, the agent finds on its return what is
left: objects on the cluster, hooks in the progress store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.applications.delete_hooks import clean_delete_hooks, run_delete_hooks
from edge_agent.applications.document import report
from edge_agent.applications.doomed import doomed
from edge_agent.applications.gate import HOLD_CONDITION
from edge_agent.applications.keeping import keep, read_progress
from edge_agent.applications.prune import delete
from edge_agent.applications.sight import see, watches_of
from edge_agent.applications.state import set_error
from edge_agent.applications.sync_context import each
from edge_agent.sync import Doomed, Policy, order, policy_of
from outrider.manifests.phases import POST_DELETE, PRE_DELETE

if TYPE_CHECKING:
    from edge_agent.applications.model import Removal
    from edge_agent.applications.progress import Progress
    from edge_agent.applications.state import State
    from edge_agent.applications.surroundings import Surroundings


async def remove(state: State, around: Surroundings) -> bool:
    """Carry a removal on; say whether it is done. Raises `Transient` and `Blind`."""
    removal = state.removal
    if removal is None:
        raise RuntimeError(f"{state.app} is not being removed")
    progress = await read_progress(state, around)
    if removal.cascade and _is_held(state, progress, around):
        report(state, None, around)
        return False
    if removal.cascade and not await _cascade(state, progress, removal, around):
        await keep(state, around)
        report(state, None, around)
        return False
    try:
        await around.store.delete(state.app)
        # Should it be desired again at this moment, it begins with nothing.
        state.progress, state.written, state.index = None, b"", None
        around.watches.use(state.app, ())
        around.on_removed(state.app, removal.generation)
    except OSError as error:
        set_error(state, "StorageError", f"the removal is done, and can't be written down: {error}")
        report(state, None, around)
        return False
    return True


def _is_held(state: State, progress: Progress, around: Surroundings) -> bool:
    """Say whether the site holds the application, and have that told. Its urgency is that of what is desired, not of its end."""
    held = around.holds.on(state.app)
    set_error(state, HOLD_CONDITION, f"its removal waits: it is {held.why}" if held else "")
    if held is None:
        return False
    around.watches.use(state.app, progress.kinds)
    see(watches_of(state.app, around), around.settings.grace_s)
    return True


async def _cascade(state: State, progress: Progress, removal: Removal, around: Surroundings) -> bool:
    """Do what is next; say whether nothing is left to do."""
    if state.searching:
        return False
    if state.desired is not None:
        state.policy = policy_of(state.desired.spec)
    else:
        state.policy = Policy(options=progress.sync_options)
    _begin(state, progress, removal, around)
    around.watches.use(state.app, progress.kinds)
    watches = watches_of(state.app, around)
    see(watches, around.settings.grace_s)
    refused = "; ".join(sorted(str(watched.error) for watched in watches if watched.error))
    trouble = await run_delete_hooks(PRE_DELETE, state, around)
    if trouble is None:
        trouble = await _delete_objects(state, removal, around)
    if trouble is None:
        trouble = await run_delete_hooks(POST_DELETE, state, around)
    if trouble is None:
        trouble = await clean_delete_hooks(state, around)
    set_error(state, "DeletionError", trouble or refused)
    return trouble is None and not refused


def _begin(state: State, progress: Progress, removal: Removal, around: Surroundings) -> None:
    """Turn from syncing to removing: a sync that was under way is given up, its hooks are stopped."""
    name = "removal-" + "-".join(map(str, removal.generation))
    if progress.hooks.sync != name:
        progress.hooks = progress.hooks.next(name)
        # What was approved was a sync's pruning.
        progress.approvals = ()
        progress.operation = {
            "phase": "Running",
            "message": "is being removed",
            "startedAt": around.now(),
        }
    state.running = None
    hooks = {live.kind for live in around.inventory.tracked(state.app)}
    progress.kinds |= (state.index.kinds if state.index else frozenset()) | hooks


async def _delete_objects(state: State, removal: Removal, around: Surroundings) -> str | None:
    """Delete what is next; return what stands in the way, empty where it only takes time, None where nothing
    is left.
    """
    left = [found for found in doomed(state, None, around) if not found.kept]
    own = {run.key for run in state.progress.hooks.runs.values()} if state.progress else set()
    left = [found for found in left if found.key not in own]
    if not left:
        return None
    waits = sorted(str(found.key) for found in left if found.confirm and not found.going)
    if waits:
        return f"waits for the approval to delete {', '.join(waits)}"
    return await _delete_last(left, state, removal, around)


async def _delete_last(left: list[Doomed], state: State, removal: Removal, around: Surroundings) -> str:
    """Delete the objects of the last wave and kind; what is going already is waited for."""
    last = max((found.wave, order.rank(found.key.kind)) for found in left)
    now = [found for found in left if (found.wave, order.rank(found.key.kind)) == last and not found.going]
    propagation = removal.propagation.capitalize()
    failures = await each(
        now, lambda found: delete(found, state.app, around, propagation), f"delete for {state.app}"
    )
    return "; ".join(sorted(str(error) for error in failures))
