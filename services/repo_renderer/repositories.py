"""One loop a repository: look when its interval is over, when it is told to, or when what is wanted of it changed.

A look is one conversation with the Git server for all revisions that are wanted, then one pass over the fingerprints of all
sources, then the rendering of those whose content moved. A repository that fails or hangs holds up no other.
"""

import asyncio
import random
from dataclasses import dataclass, field

import structlog

from outrider.bus import BusError
from outrider.identity.sealing import CannotOpen
from outrider.rendering.errors import RenderError
from outrider.rendering.git.errors import GitError
from outrider.rendering.git.fingerprint import Fingerprint
from outrider.rendering.git.store import GitStore
from repo_renderer.catalogue import Catalogue, Wanted
from repo_renderer.renderings import At, Renderings

log = structlog.get_logger()


@dataclass
class _Watched:
    """A repository that is looked at; `look` wakes its loop."""

    url: str
    look: asyncio.Event = field(default_factory=asyncio.Event)
    looked: asyncio.Condition = field(default_factory=asyncio.Condition)
    looks: int = 0
    heads: dict[str, str] = field(default_factory=dict)
    # revision -> commit, or what is wrong with it


class Repositories:
    """All repositories that any source of the pool is in."""

    def __init__(
        self,
        catalogue: Catalogue,
        renderings: Renderings,
        store: GitStore,
        poll_interval_s: float,
        rng: random.Random,
    ) -> None:
        self._catalogue, self._renderings, self._store = catalogue, renderings, store
        self._poll_interval_s, self._rng = poll_interval_s, rng
        self._watched: dict[str, _Watched] = {}

    async def run(self) -> None:
        """Follow the catalogue until cancelled: begin loops, wake them, end them."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                url = await self._catalogue.changed.get()
                if url in self._watched:
                    self._watched[url].look.set()
                elif self._catalogue.sources(url):
                    watched = self._watched[url] = _Watched(url)
                    watched.look.set()
                    tasks.create_task(self._follow(watched), name=f"repository {url}")

    async def refresh(self, url: str | None) -> dict[str, dict[str, str]]:
        """Look at a repository now (None: at all) and wait for it; return what each revision points to. KeyError if unknown."""
        chosen = list(self._watched.values()) if url is None else [self._watched[url]]
        for watched in chosen:
            before = watched.looks
            watched.look.set()
            async with watched.looked:
                await watched.looked.wait_for(lambda w=watched, b=before: w.looks > b)  # type: ignore[misc]
        return {watched.url: dict(watched.heads) for watched in chosen}

    async def _follow(self, watched: _Watched) -> None:
        while self._catalogue.sources(watched.url):
            try:
                async with asyncio.timeout(self._poll_interval_s * self._rng.uniform(0.75, 1.25)):
                    await watched.look.wait()
            except TimeoutError:
                pass
            watched.look.clear()
            try:
                await self._look(watched)
            except BusError as error:
                log.warning("repository not brought up to date", repository=watched.url, reason=str(error))
            watched.looks += 1
            async with watched.looked:
                watched.looked.notify_all()
        del self._watched[watched.url]

    async def _look(self, watched: _Watched) -> None:
        sources = self._catalogue.sources(watched.url)
        revisions = sorted({wanted.source.revision for wanted in sources})
        try:
            access = self._catalogue.access(watched.url)
            heads = await self._store.fetch(access, revisions)
        except (GitError, CannotOpen) as error:
            log.warning("repository not fetched", repository=watched.url, reason=str(error))
            watched.heads = {revision: str(error) for revision in revisions}
            await self._fail_all(sources, str(error))
            return
        watched.heads = {revision: str(head) for revision, head in heads.items()}
        async with asyncio.TaskGroup() as tasks:
            for revision, head in heads.items():
                at_revision = [wanted for wanted in sources if wanted.source.revision == revision]
                if isinstance(head, GitError):
                    tasks.create_task(self._fail_all(at_revision, str(head)), name="fail")
                else:
                    tasks.create_task(self._bring_all(at_revision, head), name=f"bring {revision}")

    async def _fail_all(self, sources: list[Wanted], error: str) -> None:
        async with asyncio.TaskGroup() as tasks:
            for wanted in sources:
                tasks.create_task(self._renderings.fail(wanted.key, error, ""), name="fail")

    async def _bring_all(self, sources: list[Wanted], commit: str) -> None:
        """Bring all sources of one revision to a commit: those that read nothing new cost nothing more."""
        url = sources[0].repo_url
        found = await self._store.fingerprints(url, commit, [wanted.source for wanted in sources])
        async with asyncio.TaskGroup() as tasks:
            for wanted, result in zip(sources, found, strict=True):
                if isinstance(result, Fingerprint):
                    at = At(commit, result)
                    if not self._renderings.is_current(wanted, at):
                        tasks.create_task(self._bring(wanted, at), name=f"render {wanted.key}")
                else:
                    tasks.create_task(self._renderings.fail(wanted.key, str(result), commit), name="fail")

    async def _bring(self, wanted: Wanted, at: At) -> None:
        try:
            await self._renderings.bring(wanted, at)
        except (GitError, RenderError) as error:
            await self._renderings.fail(wanted.key, str(error), at.commit)
