"""Sources at the revisions that they resolved to, whatever they lie in: what each reads, and its files in a folder of their own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from outrider.rendering.charts import ChartStore, Head
from outrider.rendering.charts.archive import unpack
from outrider.rendering.errors import RenderError
from outrider.rendering.exported import REFERENCES_FOLDER, SOURCE_FOLDER, Export
from outrider.rendering.git.errors import GitError
from outrider.rendering.git.export import ExportLimits
from outrider.rendering.git.fingerprint import Fingerprint
from outrider.rendering.git.reach import detect
from outrider.rendering.git.store import GitStore
from outrider.rendering.identity import digest, parameters
from outrider.spec.references import referred_source
from outrider.spec.source import ApplicationSource, SourceKind

_SCHEMA = "values.schema.json"


@dataclass(frozen=True)
class Pinned:
    """A source whose options are what counts, in a repository at an address, at a revision."""

    source: ApplicationSource
    address: str
    head: Head

    @property
    def revision(self) -> str:
        """The commit, the version or the digest."""
        return self.head.revision


@dataclass(frozen=True)
class Vendored:
    """An archive to be put into a chart's `charts/`, where it is missing."""

    name: str
    data: bytes


class Checkouts:
    """What sources read, from Git repositories and charts alike."""

    def __init__(self, git: GitStore, charts: ChartStore) -> None:
        self.git, self.charts = git, charts
        self._kinds: dict[tuple[str, str], SourceKind] = {}

    async def fingerprints(self, many: Sequence[Pinned]) -> list[Fingerprint | GitError | RenderError]:
        """Return what each source reads, or why that can't be said. Sources of one commit cost one passage, values of others apart."""
        found: list[Fingerprint | GitError | RenderError | None] = [None] * len(many)
        commits: dict[tuple[str, str], list[int]] = {}
        for index, pinned in enumerate(many):
            if pinned.source.is_git:
                commits.setdefault((pinned.address, pinned.head.content), []).append(index)
            else:
                found[index] = await self._of_chart(pinned)
        for (address, commit), indexes in commits.items():
            results = await self.git.fingerprints(address, commit, [many[index].source for index in indexes])
            for index, result in zip(indexes, results, strict=True):
                found[index] = result
        return [one for one in found if one is not None]

    async def with_references(
        self, fingerprint: Fingerprint, pinned: Pinned, references: Mapping[str, Pinned]
    ) -> Fingerprint:
        """Return a fingerprint that covers what a source reads of others, too. GitError if those can't be looked at."""
        files = _referred(pinned.source)
        if not files:
            return fingerprint
        digests = [
            [ref, await self.git.files_digest(references[ref].address, references[ref].head.content, wanted)]
            for ref, wanted in sorted(files.items())
            if ref in references
        ]
        return Fingerprint(fingerprint.kind, digest([fingerprint.digest, digests]), fingerprint.overrides)

    async def _of_chart(self, pinned: Pinned) -> Fingerprint | RenderError:
        source = pinned.source
        try:
            kind = await self._kind(pinned)
        except RenderError as error:
            return error
        return Fingerprint(kind, digest([parameters(source, kind), pinned.head.content]))

    async def _kind(self, pinned: Pinned) -> SourceKind:
        source, head = pinned.source, pinned.head
        if source.explicit_kind is not None:
            return source.explicit_kind
        if head.is_chart:
            return SourceKind.HELM
        known = self._kinds.get((head.content, source.folder))
        if known is None:
            async with self.git.folder() as folder:
                await self.charts.unpack(head, source.address, folder)
                known = await asyncio.to_thread(_detected, source, folder)
            self._kinds[(head.content, source.folder)] = known
        return known

    @contextlib.asynccontextmanager
    async def export(
        self, pinned: Pinned, references: Mapping[str, Pinned], vendored: Sequence[Vendored] = ()
    ) -> AsyncIterator[Export]:
        """Hold a folder with what a source reads, of others too; it is gone afterwards. RenderError names what can't be exported."""
        source = pinned.source
        async with self.git.folder() as folder:
            root = folder / SOURCE_FOLDER
            await asyncio.to_thread(root.mkdir)
            if source.is_git:
                path, kind = await self.git.write(pinned.address, pinned.head.content, source, root)
            else:
                kind = await self._kind(pinned)
                await self.charts.unpack(pinned.head, source.chart or source.address, root)
                path = source.folder
            for ref, files in _referred(source).items():
                target = folder / REFERENCES_FOLDER / ref
                await asyncio.to_thread(target.mkdir, parents=True)
                if ref in references:
                    other = references[ref]
                    await self.git.write_files(other.address, other.head.content, files, target)
            await asyncio.to_thread(_complete, root / path, source, vendored)
            yield Export(folder, path, kind, f"{pinned.address}#{source.chart or path}")


def _referred(source: ApplicationSource) -> dict[str, list[str]]:
    """Return the files that a source reads of others, by their refs."""
    found: dict[str, list[str]] = {}
    for file in source.helm.files if source.helm else []:
        if (other := referred_source(file)) is not None:
            found.setdefault(other[0], []).append(other[1])
    return found


def _detected(source: ApplicationSource, folder: Path) -> SourceKind:
    path = folder / source.folder
    if not path.is_dir():
        raise RenderError("charts", "does not exist in the artifact, or is no folder", file=source.folder)
    return detect(source, [name.name.encode("utf-8", "surrogateescape") for name in path.iterdir()])


def _complete(chart: Path, source: ApplicationSource, vendored: Sequence[Vendored]) -> None:
    """Put missing charts into a chart, and take its schemas away if they don't count."""
    charts = chart / "charts"
    for archive in vendored:
        charts.mkdir(exist_ok=True)
        (charts / f"{archive.name}.tgz").write_bytes(archive.data)
    if source.helm and source.helm.skip_schema_validation:
        for path in sorted(charts.glob("*.tgz")):
            # Helm reads a schema inside an archive as well.
            unpack(path, charts / f"{path.stem}.unpacked", path.name, ExportLimits(), without_top=True)
            path.unlink()
        for path in chart.rglob(_SCHEMA):
            path.unlink()
