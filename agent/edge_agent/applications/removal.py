"""The end of an application: its objects deleted, last wave and kind first, or left as they are.

A removal is done when no object of the application is left (but those that say they stay), or at once where
it doesn't cascade. Killed in between, the agent finds on its return what is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.applications.document import report
from edge_agent.applications.doomed import doomed
from edge_agent.applications.keeping import keep, read_progress
from edge_agent.applications.prune import delete
from edge_agent.applications.sight import see, watches_of
from edge_agent.sync import Doomed, order, policy_of

if TYPE_CHECKING:
    from edge_agent.applications.progress import Progress
    from edge_agent.applications.state import State
    from edge_agent.applications.surroundings import Surroundings
from edge_agent.applications.state import set_error
from edge_agent.applications.sync_context import each


async def remove(state: State, around: Surroundings) -> bool:
    """Carry a removal on; say whether it is done. Raises `Transient` and `Blind`."""
    removal = state.removal
    if removal is None:
        raise RuntimeError(f"{state.app} is not being removed")
    progress = await read_progress(state, around)
    if removal.cascade and not await _cascade(state, progress, around):
        await keep(state, around)
        report(state, None, around)
        return False
    await around.store.delete(state.app)
    # Should it be desired again at this moment, it begins with nothing.
    state.progress, state.written = None, b""
    around.watches.use(state.app, ())
    around.on_removed(state.app, removal.generation)
    return True


async def _cascade(state: State, progress: Progress, around: Surroundings) -> bool:
    """Delete what is next; say whether nothing is left."""
    if state.searching:
        return False
    if state.desired is not None:
        state.policy = policy_of(state.desired.spec)
    progress.kinds |= state.index.kinds if state.index else frozenset()
    around.watches.use(state.app, progress.kinds)
    watches = watches_of(state.app, around)
    see(watches, around.settings.grace_s)
    refused = "; ".join(sorted(str(watched.error) for watched in watches if watched.error))
    left = [found for found in doomed(state, None, around) if not found.kept or _is_going(found, around)]
    if left:
        failed = await _delete_last(left, state, around)
        set_error(state, "DeletionError", failed or refused)
        return False
    set_error(state, "DeletionError", refused)
    return not refused


async def _delete_last(left: list[Doomed], state: State, around: Surroundings) -> str:
    """Delete the objects of the last wave and kind; what is going already is waited for."""
    last = max((found.wave, order.rank(found.key.kind)) for found in left)
    now = [found for found in left if (found.wave, order.rank(found.key.kind)) == last and not found.kept]
    failures = await each(
        now, lambda found: delete(found, state.app, around, "Foreground"), f"delete for {state.app}"
    )
    return "; ".join(sorted(str(error) for error in failures))


def _is_going(found: Doomed, around: Surroundings) -> bool:
    live = around.inventory.get(found.key)
    return bool(live and live.deleting)
