"""Render a source at another revision than it follows, because somebody asked for it: `hub.render.<pool>.render`.

The bundle is stored like any other, and nothing else is: no record says that anybody follows it.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from outrider.bus.services import RequestRefused
from outrider.records import SourceRecord
from outrider.rendering.charts import Head
from outrider.rendering.checkouts import Checkouts
from outrider.rendering.git.errors import GitError
from outrider.rendering.heads import Followed, fetch_heads
from outrider.rendering.prepare import Failed, Preparation
from outrider.rendering.wanted import Place, Wanted
from outrider.spec.source import ApplicationSource, Origin
from outrider.spec.source import problems as source_problems
from repo_renderer.catalogue import Catalogue, parsed
from repo_renderer.renderings import Renderings

_KEY = "on request"
REVISION_MAX_CHARS = 32 * 256


class OnRequest:
    """Serves renderings on request."""

    def __init__(
        self, catalogue: Catalogue, checkouts: Checkouts, preparation: Preparation, renderings: Renderings
    ) -> None:
        self._catalogue, self._checkouts = catalogue, checkouts
        self._preparation, self._renderings = preparation, renderings

    async def render(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Render at a revision. {source | sources, revision, context?} -> {digest, revision}.

        `source`, `sources` and `context` are as in SourceRecord. Of several sources, `revision` is comma-joined in their order; an
        empty one leaves a source at what it follows.
        """
        wanted = _wanted(arguments)
        try:
            heads = [await self._head(source) for source in wanted.sources]
            (prepared,) = await self._preparation.prepare([(wanted, heads)])
            if isinstance(prepared, Failed):
                raise prepared
            if prepared.needs_release or prepared.needs_application:
                what = "application" if prepared.needs_application else "release"
                raise RequestRefused(f"what this renders to depends on the {what}: give its context")
            archived = await self._renderings.rendered(wanted, prepared)
        except (Failed, GitError) as error:
            raise RequestRefused(str(error)) from error
        return {"digest": archived.digest, "revision": prepared.revision}

    async def _head(self, source: ApplicationSource) -> Head:
        place, followed = Place.of(source), Followed.of(source)
        access = self._catalogue.access(place.address)
        git, charts = self._checkouts.git, self._checkouts.charts
        found = (await fetch_heads(git, charts, place, access, [followed]))[followed]
        if isinstance(found, GitError):
            raise found
        return found


def _wanted(arguments: dict[str, Any]) -> Wanted:
    revision = arguments.get("revision")
    if not isinstance(revision, str) or not 0 < len(revision) <= REVISION_MAX_CHARS:
        raise RequestRefused("revision: must be a text: a branch, a tag, a commit or a version")
    try:
        record = SourceRecord(
            "",
            "",
            dict(arguments.get("source") or {}),
            dict(arguments.get("context") or {}),
            list(arguments.get("sources") or []),
        )
        wanted = parsed(_KEY, record)
        sources = _at(wanted.sources, revision)
    except ValidationError as error:
        raise RequestRefused("; ".join(list(source_problems(error, "source"))[:5])) from error
    except (TypeError, ValueError) as error:
        raise RequestRefused(f"this is no source that can be rendered: {error}") from error
    return Wanted(_KEY, sources, wanted.context)


def _at(sources: Sequence[ApplicationSource], revision: str) -> tuple[ApplicationSource, ...]:
    each = revision.split(",") if len(sources) > 1 else [revision]
    if len(each) != len(sources):
        raise RequestRefused(f"revision: holds {len(each)} revisions, there are {len(sources)} sources")
    return tuple(_pinned(source, one.strip()) for source, one in zip(sources, each, strict=True))


def _pinned(source: ApplicationSource, revision: str) -> ApplicationSource:
    if not revision:
        return source
    body = source.model_dump(by_alias=True, mode="json", exclude_defaults=True)
    if source.origin is Origin.GIT:
        # A prefix narrows a range of tags; a revision is one already.
        body.pop("tagPrefix", None)
    return ApplicationSource.model_validate({**body, "targetRevision": revision})
