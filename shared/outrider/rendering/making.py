"""From what was prepared to its manifests: source by source in the sandbox, with the charts that one lacks, then all as one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from outrider.rendering.charts import Wanted as WantedChart
from outrider.rendering.checkouts import Checkouts, Vendored
from outrider.rendering.combine import combined
from outrider.rendering.errors import ChartsMissing, MissingChart, RenderError
from outrider.rendering.git.access import RepositoryAccess
from outrider.rendering.git.errors import GitError
from outrider.rendering.identity import RenderContext
from outrider.rendering.pool import Rendering, RenderPool
from outrider.rendering.prepare import Part, Prepared, failed
from outrider.rendering.wanted import Wanted

NO_RELEASE = RenderContext("unnamed")
# For everything but charts: it doesn't enter the rendering.
_RENDER_ATTEMPTS_MAX = 2
# The second one with the charts that the first one lacked.


@dataclass(frozen=True)
class Made:
    """The manifests of all sources, in the order in which they count, and [type, message] of what a person should know."""

    manifests: list[dict[str, Any]]
    warnings: list[list[str]]


class Maker:
    """Renders what was prepared."""

    def __init__(
        self, checkouts: Checkouts, pool: RenderPool, access: Callable[[str], RepositoryAccess]
    ) -> None:
        """`access` says how to reach the repository of a chart that another one depends on; GitError if it can't."""
        self._checkouts, self._pool, self._access = checkouts, pool, access

    async def make(self, wanted: Wanted, prepared: Prepared) -> Made:
        """Return the manifests; Failed says why there are none, and of which source."""
        made: list[Rendering] = []
        for part in prepared.parts:
            try:
                made.append(await self._render(wanted, prepared, part))
            except (GitError, RenderError) as error:
                raise failed(wanted, part.pinned.source, error) from error
        return Made(*combined(rendering.manifests for rendering in made))

    async def _render(self, wanted: Wanted, prepared: Prepared, part: Part) -> Rendering:
        vendored: list[Vendored] = []
        context = wanted.context or NO_RELEASE
        for attempt in range(_RENDER_ATTEMPTS_MAX):
            try:
                async with self._checkouts.export(part.pinned, prepared.references, vendored) as export:
                    return await self._pool.render(export, part.pinned.source, context)
            except ChartsMissing as missing:
                if attempt + 1 == _RENDER_ATTEMPTS_MAX:
                    raise
                vendored = [await self._vendored(chart, part) for chart in missing.charts]
        raise AssertionError("the last attempt raises")

    async def _vendored(self, chart: MissingChart, part: Part) -> Vendored:
        """Fetch a chart that another one depends on, as `helm dependency build` does, with the credentials of its own repository."""
        helm = part.pinned.source.helm
        asked = WantedChart(chart.name, chart.version or "*", bool(helm and helm.pass_credentials))
        field = f"dependency {chart.shown}"
        try:
            found = await self._checkouts.charts.fetch(self._access(chart.repository), [asked])
            head = found[asked]
        except GitError as error:
            raise RenderError("helm", str(error), field=field) from error
        if isinstance(head, GitError):
            raise RenderError("helm", str(head), field=field, transient=head.transient)
        return Vendored(f"{chart.name}-{head.content[:12]}", await self._checkouts.charts.archive(head))
