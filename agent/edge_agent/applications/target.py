"""What a pass may sync: what is desired, or the bundle that somebody asked for in its place.

The other bundle is prepared as if it were the desired one, by the same policy, and nothing else changes: the
status document goes on saying how the cluster stands to what is desired.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge_agent.applications.bundle import Bundle
from edge_agent.applications.model import BundleLost
from edge_agent.applications.requests import SHORT_DIGEST_BYTES, RequestRefused, Sync

if TYPE_CHECKING:
    import contextlib

    from edge_agent.applications.progress import Progress
    from edge_agent.applications.state import Index, State
    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.cluster import Object


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be there. `state` shares everything with the application's own but what it is about."""

    state: State
    index: Index
    bundle: Bundle
    revision: str
    digest: str

    def hand_back(self, state: State) -> None:
        """Take over what the pass found out."""
        if self.state is not state:
            state.hard, state.compare_options = self.state.hard, self.state.compare_options
            state.other = self.index


async def target_of(
    index: Index,
    bundle: Bundle,
    state: State,
    progress: Progress,
    around: Surroundings,
    bundles: contextlib.AsyncExitStack,
) -> Target:
    """Return what the pass may sync; `bundles` lets go of what is loaded for it. Raises `RequestRefused` where
    the bundle that somebody asked for can't be had.
    """
    desired, request = state.desired, progress.request
    if desired is None:
        raise RuntimeError(f"{state.app} has nothing desired")
    if request is None or not request.digest or request.short_digest == desired.digest:
        state.other = None
        return Target(state, index, bundle, desired.revision, desired.digest)
    short = request.short_digest
    if state.other is None or not state.other.identity.startswith(f"{short}:"):
        state.other = None
        await _hold(request, around)
    other = replace(
        desired,
        revision=request.revision,
        digest=short,
        manifests=lambda: _manifests(short, around),
    )
    view = replace(state, desired=other, index=state.other)
    other_bundle = await bundles.enter_async_context(Bundle(view, around))
    return Target(view, await other_bundle.refresh_index(), other_bundle, request.revision, short)


def _manifests(short: str, around: Surroundings) -> list[Object]:
    try:
        return around.manifests_of(short)
    except KeyError as error:
        raise BundleLost from error


async def _hold(request: Sync, around: Surroundings) -> None:
    """See that a bundle is held."""
    try:
        await asyncio.to_thread(around.manifests_of, request.short_digest)
    except KeyError:
        await _obtain(request, around)


async def _obtain(request: Sync, around: Surroundings) -> None:
    title = f"revision {request.revision}" if request.revision else f"bundle {request.short_digest}"
    if len(request.digest) <= SHORT_DIGEST_BYTES:
        raise RequestRefused(f"the bundle of {title} is not held on this cluster any more")
    try:
        async with asyncio.timeout(around.settings.obtain_s):
            await around.obtain(request.digest)
    except LookupError as error:
        raise RequestRefused(f"{title} can't be had: {error}") from error
    except TimeoutError as error:
        why = str(error) or f"it did not come within {around.settings.obtain_s:.0f} s"
        raise RequestRefused(f"{title} can't be had: {why}") from error
