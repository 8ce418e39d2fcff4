import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.integration.rendering.repositories import Files, Repository
from tests.integration.rendering.servers import (
    PASSWORD,
    Certificate,
    HttpsServer,
    SshServer,
    https_server,
    make_certificate,
    ssh_server,
)

from outrider.rendering.git import GitStore, RepositoryAccess
from outrider.rendering.identity import RenderContext
from outrider.rendering.pool import Rendering, RenderPool
from outrider.rendering.settings import RenderSettings
from outrider.spec.source import ApplicationSource


def source_of(url: str, path: str, **fields: Any) -> ApplicationSource:
    return ApplicationSource.model_validate({"repoURL": url, "path": path, **fields})


async def until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    """Wait for something that happens in another process, of which nothing tells us."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)


@pytest.fixture
def served(tmp_path: Path) -> Repository:
    """A repository in the folder that the servers serve."""
    return Repository(tmp_path / "served" / "team" / "app.git")


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[GitStore]:
    async with GitStore(tmp_path / "store") as opened:
        yield opened


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def https(served: Repository, certificate: Certificate, tmp_path: Path) -> Iterator[HttpsServer]:
    with https_server(tmp_path / "served", certificate, password=PASSWORD) as server:
        yield server


@pytest.fixture
def ssh(served: Repository, tmp_path: Path) -> Iterator[SshServer]:
    with ssh_server(tmp_path / "served") as server:
        yield server


@dataclass
class Renderer:
    """Renders a dict of files as if it were a repository: commit, fetch, export, render."""

    folder: Path
    store: GitStore
    pool: RenderPool
    commits: int = 0

    async def __call__(
        self, files: Files, path: str = "app", *, context: RenderContext | None = None, **fields: Any
    ) -> Rendering:
        prepared = await self.prepare(files, path, context=context, **fields)
        return await prepared()

    async def prepare(
        self, files: Files, path: str = "app", *, context: RenderContext | None = None, **fields: Any
    ) -> Callable[[], Awaitable[Rendering]]:
        """Commit and fetch; return what exports and renders, as often as it is called."""
        self.commits += 1
        repository = Repository(self.folder / f"{self.commits}.git")
        commit = repository.commit(files)
        await self.store.fetch(RepositoryAccess(repository.url), [commit])
        source = source_of(repository.url, path, **fields)

        async def render() -> Rendering:
            async with self.store.export(repository.url, commit, source) as export:
                return await self.pool.render(export, source, context or RenderContext("shop", "retail"))

        return render

    async def manifests(self, files: Files, path: str = "app", **fields: Any) -> list[dict[str, Any]]:
        return (await self(files, path, **fields)).manifests


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def render(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Renderer]:
    """One pool for all tests of a module: starting workers takes longer than most renderings."""
    folder = tmp_path_factory.mktemp("render")
    settings = RenderSettings(folder=folder / "pool", workers=2)
    async with GitStore(folder / "store") as store, RenderPool(settings) as pool:
        yield Renderer(folder, store, pool)
