"""What the agent asks for, in this order: what revisions stand for, what is to be rendered from them, its manifests.

Nothing is kept but caches: clones, charts, and what was read of sources. Credentials live as long as the request that brought them.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from outrider import codec, delta
from outrider.rendering.charts import Head
from outrider.rendering.checkouts import Checkouts
from outrider.rendering.git.access import RepositoryAccess
from outrider.rendering.git.errors import AccessNotGiven, GitError
from outrider.rendering.heads import Followed, fetch_heads
from outrider.rendering.identity import RenderContext
from outrider.rendering.making import Maker
from outrider.rendering.pool import RenderPool
from outrider.rendering.prepare import Failed, Preparation, Prepared
from outrider.rendering.wanted import Place, Wanted
from outrider.spec.source import ApplicationSource, problems

BUNDLE_MAX_BYTES = 64 << 20
# What is larger is refused at the hub too.
_SOURCES_MAX = 4096


class Refused(Exception):
    """The request can't be carried out; the message is for a person."""


class Work:
    """Carries out requests."""

    def __init__(self, checkouts: Checkouts, pool: RenderPool) -> None:
        self._checkouts, self._pool = checkouts, pool
        self._preparation = Preparation(checkouts, pool)
        self._sources: OrderedDict[bytes, ApplicationSource] = OrderedDict()
        # One object for equal sources: what was found out about one is remembered by it.

    async def do(self, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Carry out a request. Refused."""
        match verb:
            case "heads":
                return await self.heads(arguments)
            case "prepare":
                return await self.prepare(arguments)
            case "make":
                return await self.make(arguments)
            case "retain":
                await self._checkouts.git.retain(list(arguments["urls"]))
                return None
        raise Refused(f"{verb!r} is nothing that this process does")

    async def heads(self, arguments: Mapping[str, Any]) -> list[Any]:
        """Say what the revisions of one place stand for now. {sources, access} -> a head, or what is wrong with it, for each."""
        sources = [self._read(body) for body in arguments["sources"]]
        known = [source for source in sources if isinstance(source, ApplicationSource)]
        if not known:
            return sources
        git, charts = self._checkouts.git, self._checkouts.charts
        followed = list(dict.fromkeys(map(Followed.of, known)))
        try:
            access = _access(arguments["access"])
            found = await fetch_heads(git, charts, Place.of(known[0]), access, followed)
        except GitError as error:
            raise Refused(str(error)) from error
        return [
            source if isinstance(source, str) else _packed(found[Followed.of(source)]) for source in sources
        ]

    async def prepare(self, arguments: Mapping[str, Any]) -> list[Any]:
        """Say what renderings are made from. {many: [{sources, context, heads}]} -> {revision, fingerprint, identity}, or why not."""
        many = [self._wanted(one) for one in arguments["many"]]
        results = iter(await self._preparation.prepare([one for one in many if not isinstance(one, str)]))
        return [one if isinstance(one, str) else _shown(next(results)) for one in many]

    async def make(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Render. {sources, context, heads, access: by URL} -> {frame, digest, objects, warnings}, or {access: URLs} to be asked with."""
        asked = self._wanted(arguments)
        if isinstance(asked, str):
            raise Refused(asked)
        wanted, heads = asked
        (prepared,) = await self._preparation.prepare([(wanted, heads)])
        if isinstance(prepared, Failed):
            raise Refused(str(prepared))
        reach = _Reach(arguments["access"])
        try:
            made = await Maker(self._checkouts, self._pool, reach).make(wanted, prepared)
        except Failed as error:
            if reach.lacking:
                return {"access": reach.lacking}
            raise Refused(str(error)) from error
        data = await asyncio.to_thread(codec.canonical, made.manifests)
        if len(data) > BUNDLE_MAX_BYTES:
            raise Refused(f"the manifests have {len(data)} bytes, a bundle has at most {BUNDLE_MAX_BYTES}")
        return {
            "frame": await asyncio.to_thread(delta.compress_fast, data),
            "digest": delta.digest(data),
            "objects": len(made.manifests),
            "warnings": made.warnings,
        }

    def _wanted(self, one: Mapping[str, Any]) -> tuple[Wanted, list[Head]] | str:
        """Return what is to be rendered, or what is wrong with it."""
        sources = [self._read(body) for body in one["sources"]]
        wrong = next((source for source in sources if isinstance(source, str)), None)
        if wrong is not None:
            return wrong
        read = tuple(source for source in sources if isinstance(source, ApplicationSource))
        return Wanted("", read, RenderContext(**one["context"])), [Head(*head) for head in one["heads"]]

    def _read(self, body: Mapping[str, Any]) -> ApplicationSource | str:
        """Return a source, or what is wrong with it: a later version's hub may know more than this process."""
        key = codec.canonical(body)
        known = self._sources.get(key)
        if known is None:
            try:
                known = ApplicationSource.model_validate(body)
            except ValidationError as error:
                return "; ".join(list(problems(error, "source"))[:5])
            self._sources[key] = known
            if len(self._sources) > _SOURCES_MAX:
                self._sources.popitem(last=False)
        return known


class _Reach:
    """How to reach the repositories that a rendering turns out to need; those that nobody has said anything of are noted."""

    def __init__(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        self._known = known
        self.lacking: list[str] = []

    def __call__(self, url: str) -> RepositoryAccess:
        if url not in self._known:
            self.lacking.append(url)
            raise AccessNotGiven(f"nobody has said how to reach {url}")
        return _access(self._known[url])


def _access(given: Mapping[str, Any]) -> RepositoryAccess:
    if refusal := given.get("refused"):
        raise AccessNotGiven(str(refusal))
    return RepositoryAccess.of(str(given["url"]), given, vouched=bool(given.get("vouched")))


def _shown(result: Prepared | Failed) -> Any:
    if isinstance(result, Failed):
        return str(result)
    return {"revision": result.revision, "fingerprint": result.fingerprint, "identity": result.identity}


def _packed(head: Head | GitError) -> Any:
    return str(head) if isinstance(head, GitError) else [head.revision, head.content, head.is_chart]
