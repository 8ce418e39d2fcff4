"""What somebody may ask of the rendering here: look now, and render another revision. Answers are sentences and plain values."""

import asyncio
from collections.abc import Sequence
from typing import Any

from edge_agent.rendering.orders import Order, Place, followed, joined, key_of
from edge_agent.rendering.process import NotNow, RendererMissing, RenderRefused
from edge_agent.rendering.rendering import Rendering
from edge_agent.rendering.steps import Head, Steps
from edge_agent.replica import Archived, Renderings, ReplicaUnwritable
from outrider.names import AppName
from outrider.repository_secrets import bare

LOOK_WITHIN_S = RENDER_WITHIN_S = 10.0
# Below the time for which the hub waits for an answer.


class CannotRender(Exception):
    """It can't be done; the message is a sentence for the person who asked."""


class Requests:
    """Serves requests, beside the loops that follow repositories. `run` carries out what takes time."""

    def __init__(self, rendering: Rendering, steps: Steps, store: Renderings) -> None:
        self._rendering, self._steps, self._store = rendering, steps, store
        self._tasks: asyncio.TaskGroup | None = None
        self._under_way: dict[tuple[str, str], asyncio.Task[tuple[str, bytes] | str]] = {}

    async def run(self) -> None:
        """Carry out what takes time. Ends only by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._tasks = None

    def renders(self, app: str) -> bool:
        """Whether an application is rendered here."""
        return self._rendering.order(AppName(app)) is not None

    async def refresh(self, app: str) -> dict[str, Any]:
        """Look at an application's repositories now. -> {revisions: by URL and what is followed, warnings}."""
        order = self._rendering.order(AppName(app))
        revisions: dict[str, dict[str, str]] = {}
        warnings: list[str] = []
        for place in order.places if order is not None else ():
            try:
                async with asyncio.timeout(LOOK_WITHIN_S):
                    await self._rendering.places.looked(place)
            except TimeoutError:
                warnings.append(
                    f"repository {place.url} was not looked at within {LOOK_WITHIN_S:g} s; the look goes on"
                )
            else:
                revisions.setdefault(place.url, {}).update(self._found(order, place))
        return {"revisions": revisions, "warnings": warnings}

    def _found(self, order: Order | None, place: Place) -> dict[str, str]:
        watched = self._rendering.places.get(place)
        if order is None or watched is None:
            return {}
        heads = {
            followed(one): watched.heads.get(key_of(one)) for one in order.sources if Place.of(one) == place
        }
        return {shown: head if isinstance(head, str) else head[0] for shown, head in heads.items() if head}

    def fetch(self, urls: Sequence[str], within_s: float) -> int:
        """Look at repositories within a time, each at its own moment; return how many are followed here."""
        wanted = set(map(bare, urls))
        found = [one for one in self._rendering.places.all() if bare(one.place.url) in wanted]
        for watched in found:
            self._rendering.places.look(watched.place, within_s)
        return len(found)

    async def at(self, app: str, revision: str) -> tuple[str, bytes]:
        """Have the bundle of an application at another revision held; return that revision in full, and its digest. CannotRender."""
        order = self._rendering.order(AppName(app))
        if order is None or not order.sources:
            raise CannotRender(f"application {app!r} has no source to render")
        if self._tasks is None:
            raise CannotRender("the agent is starting; ask again")
        key = app, revision
        task = self._under_way.get(key)
        if task is None:
            # It goes on when nobody waits any more: who asks again finds it made.
            task = self._under_way[key] = self._tasks.create_task(
                self._answered(order, revision), name=f"render {app} at {revision}"
            )
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        done, _ = await asyncio.wait({task}, timeout=RENDER_WITHIN_S)
        if not done:
            raise CannotRender(f"revision {revision} is being rendered still; ask again in a moment")
        answer = task.result()
        if isinstance(answer, str):
            raise CannotRender(answer)
        return answer

    async def _answered(self, order: Order, revision: str) -> tuple[str, bytes] | str:
        """Return revision and digest, or why there are none: an error would end the agent."""
        try:
            return await self._at(order.at(revision))
        except NotNow as error:
            return f"revision {revision} can't be rendered at the moment, ask again: {error}"
        except (RenderRefused, RendererMissing, ReplicaUnwritable, ValueError) as error:
            return f"revision {revision} can't be rendered: {error}"
        finally:
            self._rendering.rest_if_idle()

    async def _at(self, order: Order) -> tuple[str, bytes]:
        found: dict[bytes, Head] = {}
        for place in order.places:
            sources = [one for one in order.sources if Place.of(one) == place]
            for source, head in zip(
                sources, await self._steps.heads(place, sources, {order.project}), strict=True
            ):
                if isinstance(head, str):
                    raise RenderRefused(head)
                found[key_of(source)] = head
        heads = tuple(found[key_of(source)] for source in order.sources)
        (prepared,) = await self._steps.prepared([(order, heads)])
        if isinstance(prepared, str):
            raise RenderRefused(prepared)
        archived = self._store.archived(prepared.identity)
        if archived is None:
            made = await self._steps.made(order, heads)
            archived = Archived(made.digest, made.warnings)
            self._store.hold(prepared.identity, archived, made.data)
        return joined([head[0] for head in heads]), archived.digest
