"""What an edge renders itself: follow its repositories, render what moved, store it, and only then hand it on.

    order (signed by the hub) -> heads (Git) -> what they are rendered from -> archive, or the process that renders -> replica

A rendering and its bundle are in the replica before anybody hears of them; an error leaves the last good one in force and becomes
a condition that says at which revision that is. All of it works without the hub, and what is in force works without Git.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from edge_agent.rendering.orders import Order, Place, Source, joined, key_of, order_of
from edge_agent.rendering.outcome import Standing, empties, failing, of_same_bundle, standing
from edge_agent.rendering.places import Places, Watched
from edge_agent.rendering.process import NotNow, RendererMissing, RenderRefused
from edge_agent.rendering.steps import Head, Prepared, Steps, Warnings
from edge_agent.rendering.telling import DEATHS_TOLD, Telling
from edge_agent.replica import Rendered, Renderings, ReplicaUnwritable
from outrider.messages import Desired
from outrider.names import AppName

log = structlog.get_logger()

MAKING_MAX = 2
# Bundles on their way from the process to the replica, each whole in memory.


@dataclass
class _State:
    """One application that is rendered here."""

    order: Order
    error: str = ""
    # why it is not at the newest state of its repositories
    brought: tuple[Head, ...] = ()
    # what it was last brought to without an error
    in_vain: int = 0
    # how often in a row it could not be rendered, for no fault of its own


class Rendering:
    """All applications that are rendered here."""

    def __init__(
        self,
        steps: Steps,
        store: Renderings,
        telling: Telling,
        on_rendered: Callable[[AppName, str], None],
        on_change: Callable[[AppName], None],
        interval_s: float,
        rng: random.Random,
    ) -> None:
        """`on_rendered` is told of each revision that is stored, `on_change` of an application whose `standing` became another."""
        self._steps, self._store, self._telling = steps, store, telling
        self._on_rendered, self._on_change, self._interval_s = on_rendered, on_change, interval_s
        self._states: dict[AppName, _State] = {}
        self._making = asyncio.Semaphore(MAKING_MAX)
        self._busy: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        # by identity: who comes to the same rendering waits for the first
        self.places = Places(self._look, self._is_wanted, interval_s, rng)

    async def run(self) -> None:
        """Follow the repositories, for ever."""
        if not self.places.all():
            await self._steps.renderer.clear()
        await self.places.run()

    # What is to be rendered

    def want(self, app: AppName, record: Desired) -> None:
        """Take in a record without a bundle. What is in force stays so until there is a newer rendering."""
        order, state = order_of(app, record), self._states.get(app)
        before = state.order if state is not None else None
        if state is None:
            state = self._states[app] = _State(order)
        if before != order:
            state.order, state.brought, state.error = order, (), order.refusal
            # After a restart, or when the edge takes over, there is no hurry: a fleet must not meet at its Git server.
            known = before is None and self._in_force(app) is not None
            for place in order.places:
                self.places.look(place, self._interval_s if known else 0)
            self._let_go(before)
            self._tell()

    def forget(self, app: AppName) -> None:
        """The hub renders an application, or it ends."""
        state = self._states.pop(app, None)
        if state is not None:
            self._let_go(state.order)
            self._tell()

    def again(self, app: AppName) -> None:
        """What an application was rendered to is lost: make it again."""
        state = self._states.get(app)
        if state is not None:
            state.brought = ()
            for place in state.order.places:
                self.places.look(place, 0)

    def order(self, app: AppName) -> Order | None:
        """Return what is to be rendered of an application; None: that is not done here."""
        state = self._states.get(app)
        return state.order if state is not None else None

    def standing(self, app: AppName) -> Standing:
        """Return what an application is at."""
        state = self._states.get(app)
        return standing(self._in_force(app), state.error if state is not None else "")

    def _in_force(self, app: AppName) -> Rendered | None:
        """Return what an application is at, if its bundle can be read still."""
        rendered = self._store.get(app)
        return rendered if rendered is not None and self._store.holds(rendered.digest) else None

    def _let_go(self, before: Order | None) -> None:
        for place in before.places if before is not None else ():
            if not self._is_wanted(place):
                self.places.look_no_more(place)
        self.rest_if_idle()

    def rest_if_idle(self) -> None:
        """End the process where nothing is rendered here any more."""
        if not self.places.all():
            self._steps.renderer.rest()

    def _is_wanted(self, place: Place) -> bool:
        return any(place in state.order.places for state in self._states.values())

    # A look at one place

    async def _look(self, watched: Watched) -> None:
        """Find out what a place stands for, and bring what lies in it there. NotNow: look again."""
        states = [state for state in self._states.values() if watched.place in state.order.places]
        orders = [state.order for state in states]
        sources = {
            key_of(source): source
            for order in orders
            for source in order.sources
            if Place.of(source) == watched.place
        }
        projects = {order.project for order in orders}
        try:
            found = await self._heads(watched.place, list(sources.values()), projects)
            watched.heads = dict(zip(sources, found, strict=True))
            await self._bring_all(list(zip(states, orders, strict=True)))
        except NotNow:
            self._tell_lost()
            raise
        finally:
            self._tell()
            # A look at what was let go meanwhile may have started it again.
            self.rest_if_idle()

    async def _heads(self, place: Place, sources: Sequence[Source], projects: set[str]) -> list[Head | str]:
        try:
            await self._steps.retain([watched.place for watched in self.places.all()])
            heads = await self._steps.heads(place, sources, projects)
        except RendererMissing as error:
            self._telling.unavailable(str(error))
            return [str(error)] * len(sources)
        except RenderRefused as error:
            log.warning("repository not fetched", repository=place.url, reason=str(error))
            heads = [str(error)] * len(sources)
        self._telling.unavailable("")
        self._telling.secrets(self._steps.secrets.trouble)
        return heads

    async def _bring_all(self, wanted: Sequence[tuple[_State, Order]]) -> None:
        """Bring applications to what their sources stand for: what reads nothing new costs nothing more."""
        ready: list[tuple[_State, Order, tuple[Head, ...]]] = []
        for state, order in wanted:
            if not self._stands(state, order):
                continue
            heads = [self._head(source) for source in order.sources]
            wrong = _first_error(order, heads)
            if wrong:
                self._fail(state, order, wrong, "")
            elif None not in heads:
                known = tuple(head for head in heads if isinstance(head, tuple))
                if state.error or state.brought != known:
                    ready.append((state, order, known))
        if not ready:
            return
        prepared = await self._steps.prepared([(order, known) for _, order, known in ready])
        in_vain: list[NotNow] = []
        async with asyncio.TaskGroup() as tasks:
            for (state, order, known), result in zip(ready, prepared, strict=True):
                tasks.create_task(
                    self._bring(state, order, known, result, in_vain), name=f"render {order.app}"
                )
        if in_vain:
            raise in_vain[0]

    def _head(self, source: Source) -> Head | str | None:
        """Return what a source stands for, or what is wrong with it; None if its place was not looked at yet."""
        watched = self.places.get(Place.of(source))
        return watched.heads.get(key_of(source)) if watched is not None else None

    async def _bring(
        self,
        state: _State,
        order: Order,
        heads: tuple[Head, ...],
        prepared: Prepared | str,
        in_vain: list[NotNow],
    ) -> None:
        revision = joined([head[0] for head in heads])
        if isinstance(prepared, str):
            self._fail(state, order, prepared, revision)
            return
        rendered = self._in_force(order.app)
        try:
            if rendered is None or rendered.fingerprint != prepared.fingerprint:
                await self._render(state, order, heads, prepared)
        except NotNow as error:
            in_vain.append(error)
            state.in_vain += 1
            if state.in_vain >= DEATHS_TOLD:
                self._fail(state, order, f"it can't be rendered at the moment: {error}", revision)
        except (RenderRefused, RendererMissing, ReplicaUnwritable) as error:
            self._fail(state, order, str(error), revision)
        else:
            self._settle(state, order, heads)

    async def _render(self, state: _State, order: Order, heads: tuple[Head, ...], prepared: Prepared) -> None:
        """Have the rendering in the replica, made now or before. RenderRefused, ReplicaUnwritable."""
        busy = self._busy[prepared.identity]
        try:
            async with busy:
                archived = self._store.archived(prepared.identity)
                if archived is not None:
                    self._take(state, order, prepared, archived.digest, archived.warnings, None)
                    return
                async with self._making:
                    made = await self._steps.made(order, heads)
                    self._take(state, order, prepared, made.digest, made.warnings, made.data)
        finally:
            if not busy.locked():
                self._busy.pop(prepared.identity, None)

    def _take(
        self,
        state: _State,
        order: Order,
        prepared: Prepared,
        digest: bytes,
        warnings: Warnings,
        data: bytes | None,
    ) -> None:
        """Store a rendering, unless it would take away all that runs or the order is another one by now."""
        if not self._stands(state, order):
            return
        before = self._in_force(order.app)
        if would_empty := empties(order, digest, before):
            raise RenderRefused(would_empty)
        revision = prepared.revision
        if before is not None and of_same_bundle(before, digest):
            revision = before.revision
        rendered = Rendered(revision, digest, prepared.fingerprint, warnings)
        if self._store.put(order.app, rendered, prepared.identity, data):
            log.info("rendered", app=order.app, revision=revision, digest=digest[:8].hex())
            if before is None or before.revision != revision:
                self._on_rendered(order.app, revision)
            state.error = ""
            self._on_change(order.app)

    def _settle(self, state: _State, order: Order, heads: tuple[Head, ...]) -> None:
        if self._stands(state, order):
            state.brought, state.in_vain = heads, 0
            if state.error:
                state.error = ""
                self._on_change(order.app)

    def _fail(self, state: _State, order: Order, message: str, revision: str) -> None:
        if not self._stands(state, order):
            return
        error = failing(order, message, revision, self._in_force(order.app))
        if error != state.error:
            log.warning("not rendered", app=order.app, reason=error)
            state.error = error
            self._on_change(order.app)

    def _stands(self, state: _State, order: Order) -> bool:
        """Whether an order is what is wanted still."""
        return self._states.get(order.app) is state and state.order == order

    def _tell_lost(self) -> None:
        renderer = self._steps.renderer
        if renderer.deaths >= DEATHS_TOLD:
            self._telling.unavailable(f"the process that renders ends again and again: {renderer.last_words}")

    def _tell(self) -> None:
        self._telling.rendering(len(self._states), self.places.all())


def _first_error(order: Order, heads: Sequence[Head | str | None]) -> str:
    """Return what is wrong with the first head that is wrong, and of several sources, which one."""
    for source, head in zip(order.sources, heads, strict=True):
        if isinstance(head, str):
            which = f"source {source['repoURL']} {source.get('targetRevision') or 'HEAD'}: "
            return head if len(heads) == 1 else f"{which}{head}"
    return ""
