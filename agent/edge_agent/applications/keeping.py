"""Read and write how far an application came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.applications.progress import Progress, read
from edge_agent.applications.state import set_error
from edge_agent.diff import Verdict, digest

if TYPE_CHECKING:
    from edge_agent.applications.state import Index, State
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.cluster import Key


async def read_progress(state: State, around: Surroundings) -> Progress:
    """Return how far the application came, read once; where nothing is known, have looked for what it left
    behind.
    """
    if state.progress is None:
        found = read(await around.store.get(state.app))
        state.progress = found or Progress()
        if found is None:
            state.searching = True
            around.leftovers.look(state.app)
    return state.progress


async def keep(state: State, around: Surroundings) -> None:
    """Write down how far the application came, if it came any further.

    Where that fails the application goes on and says so: without its memory a restart has more to find out,
    and does nothing wrong.
    """
    progress = state.progress
    if progress is None:
        return
    # One after the other: an older value must not overtake a newer one on its way to the disk.
    async with state.writing:
        await _put(state, progress, around)


async def _put(state: State, progress: Progress, around: Surroundings) -> None:
    if state.index is not None:
        progress.in_sync = _found_in_sync(state, state.index, progress)
    value = progress.value()
    written = digest(value)
    if written == state.written:
        return
    try:
        await around.store.put(state.app, value, progress.bundles, progress.core(value))
    except OSError as error:
        set_error(state, "StorageError", f"progress can't be written down: {error}")
        return
    state.written = written
    set_error(state, "StorageError", "")


def _found_in_sync(state: State, index: Index, progress: Progress) -> dict[Key, Verdict]:
    """What drifted since keeps its entry: the server took that manifest, which is worth knowing when it is
    healed.
    """
    found = {}
    for key, entry in index.entries.items():
        verdict, before = state.verdicts.get(key), progress.in_sync.get(key)
        if verdict and verdict.in_sync and verdict.desired == entry.digest:
            found[key] = verdict
        elif before and before.desired == entry.digest:
            found[key] = before
    return found
