"""A cluster's state in a file, so that a simulated API that restarts has its objects again.

The file is one JSON document, replaced as a whole: a crash leaves the last one that was complete. Changes are written soon after they are made, many
at a time, and once more at the end; a kill loses at most what came after the last write.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from .state import State
    from .store import Change

_PAUSE_S: Final = 0.2
"""From one write to the next, at least."""

_FORMAT: Final = 1


class StateFileError(Exception):
    """A state file can't be used."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path} is no state of a simulated cluster: {problem}; move it away to begin afresh"
        )
        self.path = path
        self.problem = problem


def load(state: State, path: Path) -> bool:
    """Take over the state from a file; tell whether there was one. Raises StateFileError if it can't be read."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return False
    except ValueError as error:
        raise StateFileError(path, str(error)) from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise StateFileError(path, f"its format is not {_FORMAT}")
    state.restore(document)
    return True


def _write(path: Path, document: dict[str, Any]) -> None:
    draft = path.with_name(path.name + ".tmp")
    draft.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
    os.replace(draft, path)  # over an existing file, in one step


async def save(state: State, path: Path) -> None:
    """Write the state to a file."""
    await asyncio.to_thread(_write, path, {"format": _FORMAT, **state.dump()})


@contextlib.asynccontextmanager
async def saved(state: State, path: Path) -> AsyncIterator[None]:
    """Keep a file up to date with the state for as long as the context lasts, and at its end."""
    changed = asyncio.Event()

    def note(_change: Change) -> None:
        changed.set()

    async def save_changes() -> None:
        while True:
            await changed.wait()
            changed.clear()
            await save(state, path)
            await asyncio.sleep(_PAUSE_S)

    state.store.listen(note)
    try:
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(save_changes(), name="save simulated state")
            try:
                yield
            finally:
                writer.cancel()
    finally:
        state.store.ignore(note)
        await save(state, path)
