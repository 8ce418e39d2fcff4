"""One commit that touches one of a thousand applications of one repository: from fetching it to the stored bundle."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import Measurement, spread
from outrider.rendering.charts import ChartStore, Head
from outrider.rendering.checkouts import Checkouts
from outrider.rendering.git.access import RepositoryAccess
from outrider.rendering.git.store import GitStore
from outrider.rendering.making import NO_RELEASE
from outrider.rendering.pool import RenderPool
from outrider.rendering.prepare import Preparation, Prepared
from outrider.rendering.settings import RenderSettings
from outrider.rendering.wanted import Wanted
from outrider.spec.source import ApplicationSource
from outrider_playground.demo.repository import Repository

APPLICATIONS = 1000
COMMITS = 10
KINDS = ("directory", "kustomize")
# Charts cost as much as directories, plus their release.


@dataclass
class Looks:
    """What the renderer does at each look, without the bus: heads, fingerprints, then the rendering of what moved."""

    checkouts: Checkouts
    pool: RenderPool
    wanted: list[Wanted]
    url: str
    known: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.preparation = Preparation(self.checkouts, self.pool)

    async def look(self) -> int:
        """Bring everything to the newest commit; return how many were rendered."""
        commit = (await self.checkouts.git.fetch(RepositoryAccess(self.url), ["main"]))["main"]
        head = Head(str(commit), str(commit), is_chart=False)
        prepared = await self.preparation.prepare([(wanted, [head]) for wanted in self.wanted])
        moved = [
            (wanted, one)
            for wanted, one in zip(self.wanted, prepared, strict=True)
            if isinstance(one, Prepared) and self.known.get(wanted.key) != one.fingerprint
        ]
        for wanted, one in moved:
            await self._render(one)
            self.known[wanted.key] = one.fingerprint
        return len(moved)

    async def _render(self, prepared: Prepared) -> None:
        (part,) = prepared.parts
        async with self.checkouts.export(part.pinned, {}) as export:
            await self.pool.render(export, part.pinned.source, NO_RELEASE)


@asynccontextmanager
async def looks(folder: Path, repository: Repository) -> AsyncIterator[Looks]:
    """Hold a renderer without a hub over a repository of a thousand applications."""
    async with (
        RenderPool(RenderSettings(folder / "renders", workers=1)) as pool,
        GitStore(folder / "git") as git,
        ChartStore(folder / "charts", pool.chart_versions) as charts,
    ):
        wanted = [Wanted(f"app-{n}", (_source(repository.url, n),), None) for n in range(APPLICATIONS)]
        yield Looks(Checkouts(git, charts), pool, wanted, repository.url)


def _source(url: str, number: int) -> ApplicationSource:
    fields = {"repoURL": url, "targetRevision": "main", "path": f"apps/{number:04d}"}
    return ApplicationSource.model_validate(fields)


def _files(number: int, tag: str) -> dict[str, str]:
    folder = f"apps/{number:04d}"
    deployment = (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: app-{number}}}\nspec:\n  template:\n    spec:\n"
        f"      containers: [{{name: app, image: 'registry.example.com/app:{tag}'}}]\n"
    )
    files = {f"{folder}/deployment.yaml": deployment}
    if KINDS[number % len(KINDS)] == "kustomize":
        files[f"{folder}/kustomization.yaml"] = "resources: [deployment.yaml]\n"
    return files


async def one_of_a_thousand(folder: Path) -> Measurement:
    """Measure looks at commits that touch one application, after one that saw them all."""
    everything: dict[str, str] = {}
    for number in range(APPLICATIONS):
        everything |= _files(number, "1.0")
    repository = await asyncio.to_thread(Repository.create, folder / "repository", everything)
    async with looks(folder, repository) as held:
        begun = time.monotonic()
        prepared = await _first(held)
        first_s = time.monotonic() - begun
        held.known = {wanted.key: one.fingerprint for wanted, one in zip(held.wanted, prepared, strict=True)}
        taken: list[float] = []
        for n in range(COMMITS):
            # Both kinds in turn, and the first of each warms its worker up.
            await asyncio.to_thread(repository.commit, _files(n, f"1.{n + 1}"), "bump")
            begun = time.monotonic()
            moved = await held.look()
            taken.append(time.monotonic() - begun)
            if moved != 1:
                raise RuntimeError(f"{moved} applications moved, one was changed")
    value: dict[str, Any] = {**spread(taken), "first_look": round(first_s, 3)}
    conditions = {"applications": APPLICATIONS, "commits": COMMITS, "kinds": " and ".join(KINDS)}
    return Measurement("monorepo-1-of-1000", value, "seconds", conditions)


async def _first(held: Looks) -> list[Prepared]:
    commit = (await held.checkouts.git.fetch(RepositoryAccess(held.url), ["main"]))["main"]
    head = Head(str(commit), str(commit), is_chart=False)
    found = await held.preparation.prepare([(wanted, [head]) for wanted in held.wanted])
    return [one for one in found if isinstance(one, Prepared)]
