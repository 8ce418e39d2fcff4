"""From what is wanted, and what each revision stands for now, to what is to be rendered: options as they count, and a fingerprint.

1. Fill in the build environment, and find what each source reads.
2. Where its folder holds overrides, lay them over the options, and find it again.
3. Say what is missing: a rendering may depend on the release or the application, which its record does not have yet.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from outrider.rendering.charts import Head
from outrider.rendering.checkouts import Checkouts, Pinned
from outrider.rendering.environment import expanded, referred, variables
from outrider.rendering.errors import RenderError
from outrider.rendering.git.errors import GitError
from outrider.rendering.git.fingerprint import Fingerprint
from outrider.rendering.identity import RenderContext, digest, release
from outrider.rendering.overrides import (
    OVERRIDES_MAX_BYTES,
    are_for_single_applications,
    concerning,
    overridden,
)
from outrider.rendering.pool import RenderPool
from outrider.rendering.wanted import Wanted
from outrider.spec.references import APPLICATION
from outrider.spec.source import ApplicationSource, SourceKind

_REMEMBERED_MAX = 50_000


class Failed(Exception):
    """Why something that is wanted can't be rendered, in a sentence for a person."""


def failed(wanted: Wanted, source: ApplicationSource, error: GitError | RenderError) -> Failed:
    """Return an error that says which source it is of, where there are several."""
    where = f"source {source.repo_url} {source.chart or source.path}".strip()
    return Failed(f"{where}: {error}" if len(wanted.sources) > 1 else str(error))


@dataclass(frozen=True)
class Part:
    """One source that gives manifests, with what it reads."""

    pinned: Pinned
    fingerprint: Fingerprint


@dataclass(frozen=True)
class Prepared:
    """What is to be rendered. `identity` names all that enters it; `revision` is that of all sources, comma-joined."""

    parts: tuple[Part, ...]
    references: Mapping[str, Pinned]
    revision: str
    fingerprint: str
    identity: str
    needs_release: bool = False
    needs_application: bool = False


class Preparation:
    """Prepares renderings; remembers filled-in sources, so that one that did not change is the same object."""

    def __init__(self, checkouts: Checkouts, pool: RenderPool) -> None:
        self._checkouts, self._pool = checkouts, pool
        self._filled: OrderedDict[tuple[object, ...], tuple[ApplicationSource, ApplicationSource]] = (
            OrderedDict()
        )
        self._patches: OrderedDict[str, dict[str, object]] = OrderedDict()

    async def prepare(self, many: Sequence[tuple[Wanted, Sequence[Head]]]) -> list[Prepared | Failed]:
        """Return what each is to be rendered from, `Head`s being those of its sources in their order, or what is wrong with it."""
        pinned = [self._pinned(wanted, heads) for wanted, heads in many]
        rendered = [one for sources in pinned for one in sources if one.source.is_rendered]
        looked = iter(await self._checkouts.fingerprints(rendered))
        found: list[Prepared | Failed] = []
        for (wanted, _), sources in zip(many, pinned, strict=True):
            results = [(one, next(looked)) for one in sources if one.source.is_rendered]
            try:
                found.append(await self._prepared(wanted, sources, results))
            except Failed as error:
                found.append(error)
        return found

    def _pinned(self, wanted: Wanted, heads: Sequence[Head]) -> list[Pinned]:
        return [
            Pinned(self._fill(source, head.revision, wanted.context), source.address, head)
            for source, head in zip(wanted.sources, heads, strict=True)
        ]

    def _fill(
        self, source: ApplicationSource, revision: str, context: RenderContext | None
    ) -> ApplicationSource:
        named = referred(source)
        known = {
            key: text
            for key, text in variables(source, revision, _application(context)).items()
            if key in named
        }
        key = (id(source), tuple(sorted(known.items())))
        remembered = self._filled.get(key)
        if remembered is None:
            # The source is kept with it, so that its id is not another one's.
            remembered = self._filled[key] = (source, expanded(source, known))
            if len(self._filled) > _REMEMBERED_MAX:
                self._filled.popitem(last=False)
        return remembered[1]

    async def _prepared(
        self,
        wanted: Wanted,
        sources: Sequence[Pinned],
        looked: Sequence[tuple[Pinned, Fingerprint | GitError | RenderError]],
    ) -> Prepared:
        references = {one.source.ref: one for one in sources if one.source.ref}
        knows_application = wanted.context is not None and bool(wanted.context.project)
        needs_application = False
        parts: list[Part] = []
        raw = [source for source in wanted.sources if source.is_rendered]
        for source, (pinned, result) in zip(raw, looked, strict=True):
            try:
                part, of_application = await self._part(wanted, source, pinned, result, references)
            except (GitError, RenderError) as error:
                raise failed(wanted, source, error) from error
            needs_application |= of_application
            parts.append(part)
        is_chart = any(part.fingerprint.kind is SourceKind.HELM for part in parts)
        return Prepared(
            tuple(parts),
            references,
            ",".join(one.revision for one in sources),
            _combined(parts),
            _identity(parts, wanted.context),
            needs_release=is_chart and wanted.context is None,
            needs_application=needs_application and not knows_application,
        )

    async def _part(
        self,
        wanted: Wanted,
        source: ApplicationSource,
        pinned: Pinned,
        result: Fingerprint | GitError | RenderError,
        references: Mapping[str, Pinned],
    ) -> tuple[Part, bool]:
        """Return a part, and whether it is one application's."""
        if isinstance(result, Exception):
            raise result
        of_application = False
        if result.overrides:
            of_application = are_for_single_applications(result.overrides)
            pinned, result, named = await self._overridden(wanted, source, pinned, result)
            of_application |= bool(APPLICATION & named)
        return Part(pinned, await self._checkouts.with_references(result, pinned, references)), of_application

    async def _overridden(
        self, wanted: Wanted, source: ApplicationSource, pinned: Pinned, before: Fingerprint
    ) -> tuple[Pinned, Fingerprint, frozenset[str]]:
        context = wanted.context
        app_name = context.app_name if context is not None and context.project else ""
        patches = []
        for file in concerning(before.overrides, app_name):
            data = await self._checkouts.git.read(
                pinned.address, pinned.head.content, file, OVERRIDES_MAX_BYTES
            )
            patches.append((file, await self._patch(data, file)))
        if not patches:
            return pinned, before, frozenset()
        laid = overridden(source, patches)
        known = variables(source, pinned.revision, _application(context))
        again = Pinned(expanded(laid, known), pinned.address, pinned.head)
        (result,) = await self._checkouts.fingerprints([again])
        if isinstance(result, Exception):
            raise result
        return again, result, referred(laid)

    async def _patch(self, data: bytes, file: str) -> dict[str, object]:
        key = digest(data.decode("utf-8", "replace"))
        if key not in self._patches:
            self._patches[key] = await self._pool.document(data, file, "overrides")
            if len(self._patches) > _REMEMBERED_MAX:
                self._patches.popitem(last=False)
        return self._patches[key]


def _application(context: RenderContext | None) -> dict[str, str]:
    if context is None or not context.project:
        return {}
    return {
        "ARGOCD_APP_NAME": context.app_name,
        "ARGOCD_APP_NAMESPACE": context.namespace,
        "ARGOCD_APP_PROJECT_NAME": context.project,
    }


def _combined(parts: Sequence[Part]) -> str:
    if len(parts) == 1:
        return parts[0].fingerprint.digest
    return digest([[part.fingerprint.kind.value, part.fingerprint.digest] for part in parts])


def _identity(parts: Sequence[Part], context: RenderContext | None) -> str:
    """Return the archive key: all that enters the rendering, wherever it lies."""
    entering: list[object] = []
    for part in parts:
        entering += [part.fingerprint.kind.value, part.fingerprint.digest]
        if part.fingerprint.kind is SourceKind.HELM and context is not None:
            seen = release(part.pinned.source, context)
            entering.append({key: seen[key] for key in ("name", "namespace", "kube_version")})
    return digest(entering)
