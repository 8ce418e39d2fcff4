"""The steps that the process carries out, with what each needs of the site: which Secret, and how what comes back is checked."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from edge_agent.rendering.orders import Order, Place, Source
from edge_agent.rendering.process import Renderer, RendererLost, RenderRefused
from edge_agent.rendering.secrets import NoAccess, RepositorySecrets
from edge_agent.replica.bundles import BUNDLE_MAX_BYTES
from outrider import delta

HEADS_TIMEOUT_S = 360.0
# A fetch has 300 s.
PREPARE_TIMEOUT_S = 120.0
MAKE_TIMEOUT_S = 300.0
# A rendering has 20 s, for each of its sources, and may wait for others and for charts that it lacks.
BATCH = 16
ACCESS_ROUNDS_MAX = 8

Head = tuple[str, str, bool]
"""Revision, what names its content, and whether that is a chart (`outrider.rendering.charts.Head`)."""
Warnings = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Prepared:
    """What a rendering is made from."""

    revision: str
    fingerprint: str
    # of what the sources read: a commit that leaves it as it is calls for nothing
    identity: str
    # of all that enters the rendering: equal ones are one bundle


@dataclass(frozen=True)
class Made:
    """A bundle that was rendered, checked against its digest."""

    data: bytes
    digest: bytes
    objects: int
    warnings: Warnings


class Steps:
    """Each method may raise RenderRefused, NotNow and RendererMissing."""

    def __init__(self, renderer: Renderer, secrets: RepositorySecrets) -> None:
        self.renderer, self.secrets = renderer, secrets
        self._retained: tuple[int, list[str]] = (0, [])

    async def retain(self, places: Collection[Place]) -> None:
        """Have the clones of other repositories removed; nothing happens where that is known already."""
        urls = sorted(place.url for place in places if not place.holds_charts)
        known = (self.renderer.starts, urls)
        if self._retained != known:
            await self.renderer.ask("retain", {"urls": urls}, PREPARE_TIMEOUT_S)
            # One that was started by that has not been told of anything else.
            self._retained = (self.renderer.starts, urls)

    async def heads(
        self, place: Place, sources: Sequence[Source], projects: Collection[str]
    ) -> list[Head | str]:
        """Return what each source of one place stands for now, or what is wrong with it: one conversation with its server."""
        access = await self._access(place.address, projects)
        answer = await self.renderer.ask(
            "heads", {"sources": list(sources), "access": access}, HEADS_TIMEOUT_S
        )
        return [head if isinstance(head, str) else _head(head) for head in answer]

    async def prepared(self, many: Sequence[tuple[Order, Sequence[Head]]]) -> list[Prepared | str]:
        """Return what each is to be rendered from, or what is wrong with it."""
        found: list[Prepared | str] = []
        for start in range(0, len(many), BATCH):
            asked = [_asked(order, heads) for order, heads in many[start : start + BATCH]]
            answer = await self.renderer.ask("prepare", {"many": asked}, PREPARE_TIMEOUT_S)
            found += [one if isinstance(one, str) else Prepared(**one) for one in answer]
        return found

    async def made(self, order: Order, heads: Sequence[Head]) -> Made:
        """Render."""
        known: dict[str, Any] = {}
        for _ in range(ACCESS_ROUNDS_MAX):
            asked = {**_asked(order, heads), "access": known}
            answer = await self.renderer.ask("make", asked, MAKE_TIMEOUT_S)
            if "access" not in answer:
                return await asyncio.to_thread(_made, answer)
            # Charts that its charts depend on.
            for url in answer["access"]:
                known[url] = await self._access_or_why_not(url, order.project)
        raise RenderRefused("its charts depend on ever more repositories")

    async def _access(self, url: str, projects: Collection[str]) -> dict[str, Any]:
        try:
            return await self.secrets.access(url, projects)
        except NoAccess as error:
            raise RenderRefused(str(error)) from error

    async def _access_or_why_not(self, url: str, project: str) -> dict[str, Any]:
        try:
            return await self.secrets.access(url, {project})
        except NoAccess as error:
            return {"refused": str(error)}


def _asked(order: Order, heads: Sequence[Head]) -> dict[str, Any]:
    return {"sources": list(order.sources), "context": order.context, "heads": [list(head) for head in heads]}


def _head(packed: Any) -> Head:
    revision, content, is_chart = packed
    return str(revision), str(content), bool(is_chart)


def _made(answer: dict[str, Any]) -> Made:
    try:
        data = delta.decompress(answer["frame"], max_bytes=BUNDLE_MAX_BYTES)
    except (delta.WrongBase, delta.TooLarge) as error:
        raise RendererLost(f"it gave a bundle that can't be read: {error}") from error
    if delta.digest(data) != answer["digest"]:
        raise RendererLost("it gave a bundle that is not what it says")
    warnings = tuple((str(kind), str(message)) for kind, message in answer["warnings"])
    return Made(data, answer["digest"], int(answer["objects"]), warnings)
