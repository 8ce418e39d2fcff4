"""How many sources are rendered in a second, by kind: the first in a fresh worker, and after that."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import Measurement
from outrider.rendering.git.access import RepositoryAccess
from outrider.rendering.git.store import GitStore
from outrider.rendering.identity import RenderContext
from outrider.rendering.pool import RenderPool
from outrider.rendering.settings import RenderSettings
from outrider.spec.source import ApplicationSource
from outrider_playground.demo.repository import Repository

SECONDS = 5.0
# For each kind; kustomize starts a program each time and gets fewer done.
WORKERS = 2
DEPLOYMENT = (
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {0}}}\nspec:\n  template:\n    spec:\n"
    "      containers: [{{name: app, image: 'registry.example.com/app:1'}}]\n"
)
CONTEXT = RenderContext("bench", "bench")
KINDS = ("directory", "kustomize", "helm", "jsonnet")
FILES: Mapping[str, str] = {
    **{f"directory/{n}.yaml": DEPLOYMENT.format(f"app-{n}") for n in range(10)},
    "kustomize/kustomization.yaml": "namePrefix: a-\nresources: [all.yaml]\n",
    "kustomize/all.yaml": "---\n".join(DEPLOYMENT.format(f"app-{n}") for n in range(10)),
    "helm/Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\n",
    "helm/values.yaml": "count: 10\n",
    "helm/templates/all.yaml": "{{- range $n := until (int .Values.count) }}\n---\n"
    + DEPLOYMENT.format("{{ $.Release.Name }}-{{ $n }}")
    + "{{- end }}\n",
    "jsonnet/all.jsonnet": "[{apiVersion: 'apps/v1', kind: 'Deployment', metadata: {name: 'app-%d' % n},"
    " spec: {template: {spec: {containers: [{name: 'app', image: 'registry.example.com/app:1'}]}}}}"
    " for n in std.range(0, 9)]\n",
}


async def rate(folder: Path) -> Measurement:
    """Measure each kind: seconds for the first rendering of a pool, renderings a second afterwards, ten objects each."""
    repository = await asyncio.to_thread(Repository.create, folder / "repository", dict(FILES))
    found: dict[str, float | int] = {}
    async with GitStore(folder / "git") as store:
        commit = str((await store.fetch(RepositoryAccess(repository.url), ["main"]))["main"])
        for kind in KINDS:
            source = ApplicationSource.model_validate({"repoURL": repository.url, "path": kind})
            settings = RenderSettings(folder / f"renders-{kind}", workers=WORKERS)
            async with RenderPool(settings) as pool:
                begun = time.monotonic()
                await _render(store, pool, source, commit)
                found[f"{kind}_cold_s"] = round(time.monotonic() - begun, 4)
                found[f"{kind}_per_s"] = round(await _warm(store, pool, source, commit), 1)
    conditions: dict[str, Any] = {"objects": 10, "workers": WORKERS, "seconds_each": SECONDS}
    return Measurement("render-rate", found, "renderings/s", conditions)


async def _warm(store: GitStore, pool: RenderPool, source: ApplicationSource, commit: str) -> float:
    begun = time.monotonic()
    done = 0

    async def work() -> None:
        nonlocal done
        while time.monotonic() - begun < SECONDS:
            await _render(store, pool, source, commit)
            done += 1

    async with asyncio.TaskGroup() as tasks:
        for number in range(WORKERS):
            tasks.create_task(work(), name=f"render {number}")
    return done / (time.monotonic() - begun)


async def _render(store: GitStore, pool: RenderPool, source: ApplicationSource, commit: str) -> None:
    async with store.export(source.repo_url, commit, source) as export:
        rendering = await pool.render(export, source, CONTEXT)
    if len(rendering.manifests) != 10:
        raise RuntimeError(f"{source.path} gave {len(rendering.manifests)} objects")
