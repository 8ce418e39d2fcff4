"""One loop a place: look when its interval is over, when it is told to, or when what is wanted of it changed.

A look is one conversation with the server for all revisions that are wanted, then one pass over the fingerprints of all sources
whose heads are known, then the rendering of those whose content moved. An application with sources in several places is looked
at after each of them. A place that fails or hangs holds up no other.

What the bus does not take is made again soon, by another look: a look that was answered to whoever asked for it has done all that
there was to do.
"""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import structlog

from outrider.backoff import Backoff
from outrider.bus import BusError
from outrider.rendering.charts import Head
from outrider.rendering.checkouts import Checkouts
from outrider.rendering.git.errors import GitError
from outrider.rendering.heads import Followed, fetch_heads
from outrider.rendering.prepare import Failed, Preparation, Prepared
from outrider.rendering.wanted import Place, Wanted
from outrider.spec.source import ApplicationSource
from repo_renderer.catalogue import Catalogue
from repo_renderer.renderings import Renderings

log = structlog.get_logger()

RETRY = Backoff(first_s=0.5, cap_s=30.0)
# After a look whose outcome the bus did not take.


@dataclass
class _Watched:
    """A place that is looked at; `look` wakes its loop."""

    place: Place
    look: asyncio.Event = field(default_factory=asyncio.Event)
    looked: asyncio.Condition = field(default_factory=asyncio.Condition)
    begun: int = 0
    # looks, each by its number
    ended: int = 0
    # the last one that was done
    heads: dict[Followed, Head | str] = field(default_factory=dict)
    # What each revision stands for, or what is wrong with it.


class Repositories:
    """All places that any source of the pool lies in."""

    def __init__(
        self,
        catalogue: Catalogue,
        renderings: Renderings,
        preparation: Preparation,
        checkouts: Checkouts,
        poll_interval_s: float,
        rng: random.Random,
    ) -> None:
        self._catalogue, self._renderings, self._preparation = catalogue, renderings, preparation
        self._checkouts = checkouts
        self._poll_interval_s, self._rng = poll_interval_s, rng
        self._tasks: asyncio.Future[asyncio.TaskGroup] = asyncio.get_running_loop().create_future()
        self._watched: dict[Place, _Watched] = {}
        self._brought: WeakKeyDictionary[Wanted, tuple[tuple[Head, ...], str]] = WeakKeyDictionary()
        # The heads that each rendering was last brought to without an error, and the fingerprint that came of it.

    async def run(self) -> None:
        """Follow the catalogue until cancelled: begin loops, wake them, end them."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks.set_result(tasks)
            while True:
                place = await self._catalogue.changed.get()
                if place in self._watched or self._catalogue.sources(place):
                    self._woken(place, tasks)

    def _woken(self, place: Place, tasks: asyncio.TaskGroup) -> _Watched:
        """Have a place looked at now, by a loop that is begun if there is none."""
        watched = self._watched.get(place)
        if watched is None:
            watched = self._watched[place] = _Watched(place)
            tasks.create_task(self._follow(watched), name=f"repository {place.address}")
        watched.look.set()
        return watched

    async def refresh(self, url: str | None) -> dict[str, dict[str, str]]:
        """Look at a repository now (None: at all) and wait for it; return what each revision stands for. KeyError if unknown."""
        tasks = await self._tasks
        places = [place for place in self._catalogue.places() if url in (None, place.address)]
        if url is not None and not places:
            raise KeyError(url)
        # One that is under way may have asked the server a moment too early.
        chosen = [(watched := self._woken(place, tasks), watched.begun + 1) for place in places]
        for watched, wanted in chosen:
            async with watched.looked:
                await watched.looked.wait_for(lambda w=watched, n=wanted: w.ended >= n)  # type: ignore[misc]
        found: dict[str, dict[str, str]] = {}
        for watched, _ in chosen:
            heads = {one.shown: _revision(head) for one, head in watched.heads.items()}
            found.setdefault(watched.place.address, {}).update(heads)
        return found

    async def _follow(self, watched: _Watched) -> None:
        failures = 0
        while self._catalogue.sources(watched.place):
            await self._until_due(watched, failures)
            watched.look.clear()
            watched.begun += 1
            if not await self._looked(watched):
                failures += 1
                continue
            failures = 0
            watched.ended = watched.begun
            async with watched.looked:
                watched.looked.notify_all()
        del self._watched[watched.place]

    async def _until_due(self, watched: _Watched, failures: int) -> None:
        pause_s = self._poll_interval_s * self._rng.uniform(0.75, 1.25)
        if failures:
            # Not sooner for being told again: what stands in the way is the bus.
            await asyncio.sleep(min(pause_s, RETRY.delay_s(failures - 1, self._rng)))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await watched.look.wait()

    async def _looked(self, watched: _Watched) -> bool:
        """Look; return whether all of it was done. The bus may fail for several renderings at a time."""
        done = True
        try:
            await self._look(watched)
        except* BusError as errors:
            done = False
            log.warning(
                "repository not brought up to date, trying again",
                repository=watched.place.address,
                reason=str(errors.exceptions[0]),
            )
        return done

    async def _look(self, watched: _Watched) -> None:
        place = watched.place
        sources = self._catalogue.sources(place)
        # From before the repository is asked: who writes a record meanwhile may have seen a later commit.
        since = {wanted.key: self._renderings.records.revision(wanted.key) for wanted in sources}
        followed = sorted(
            {Followed.of(one) for wanted in sources for one in wanted.sources if Place.of(one) == place},
            key=lambda one: (one.chart, one.revision, one.passes_credentials),
        )
        try:
            access = self._catalogue.access(place.address)
            git, charts = self._checkouts.git, self._checkouts.charts
            heads = await fetch_heads(git, charts, place, access, followed)
        except GitError as error:
            log.warning("repository not fetched", repository=place.address, reason=str(error))
            watched.heads = dict.fromkeys(followed, str(error))
        else:
            watched.heads = {
                one: str(head) if isinstance(head, GitError) else head for one, head in heads.items()
            }
        await self._bring_all(sources, since)

    async def _bring_all(self, sources: list[Wanted], since: dict[str, int]) -> None:
        """Bring all that a place is part of to its heads: what reads nothing new costs nothing more."""
        ready: list[tuple[Wanted, tuple[Head, ...]]] = []
        async with asyncio.TaskGroup() as tasks:
            for wanted in sources:
                heads = [self._head(source) for source in wanted.sources]
                wrong = _first_error(wanted, heads)
                if wrong is not None:
                    failing = self._renderings.fail(wanted.key, wrong, "", since[wanted.key])
                    tasks.create_task(failing, name="fail")
                elif None not in heads:
                    known = tuple(head for head in heads if isinstance(head, Head))
                    if not self._is_done(wanted, known):
                        ready.append((wanted, known))
            if ready:
                prepared = await self._preparation.prepare(ready)
                for (wanted, known), result in zip(ready, prepared, strict=True):
                    if isinstance(result, Prepared) and self._renderings.is_current(wanted, result):
                        self._brought[wanted] = known, result.fingerprint
                        continue
                    bringing = self._bring(wanted, known, result, since[wanted.key])
                    tasks.create_task(bringing, name=f"render {wanted.key}")

    def _head(self, source: ApplicationSource) -> Head | str | None:
        """Return what a source's revision stands for, or what is wrong with it; None if that place was not looked at yet."""
        watched = self._watched.get(Place.of(source))
        return watched.heads.get(Followed.of(source)) if watched is not None else None

    def _is_done(self, wanted: Wanted, heads: tuple[Head, ...]) -> bool:
        record = self._renderings.records.get(wanted.key)
        # Another renderer may have written another fingerprint since.
        brought = self._brought.get(wanted) == (heads, record.fingerprint)
        return brought and not record.error and bool(record.fingerprint)

    async def _bring(
        self, wanted: Wanted, heads: tuple[Head, ...], prepared: Prepared | Failed, since: int
    ) -> None:
        if isinstance(prepared, Failed):
            revision = ",".join(head.revision for head in heads)
            await self._renderings.fail(wanted.key, str(prepared), revision, since)
            return
        await self._renderings.bring(wanted, prepared, since)
        self._brought[wanted] = heads, prepared.fingerprint


def _first_error(wanted: Wanted, heads: list[Head | str | None]) -> str | None:
    """Return what is wrong with the first head that is wrong, and of several sources, which one."""
    for source, head in zip(wanted.sources, heads, strict=True):
        if isinstance(head, str):
            return head if len(heads) == 1 else f"source {source.repo_url} {source.target_revision}: {head}"
    return None


def _revision(head: Head | str) -> str:
    return head.revision if isinstance(head, Head) else head
