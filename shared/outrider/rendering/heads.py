"""What the revisions of each place stand for: asked for in one conversation a place, whatever it is."""

from collections.abc import Sequence
from dataclasses import dataclass

from outrider.rendering.charts import ChartStore, Head
from outrider.rendering.charts import Wanted as WantedChart
from outrider.rendering.git.access import RepositoryAccess
from outrider.rendering.git.errors import GitError
from outrider.rendering.git.store import GitStore
from outrider.rendering.wanted import Place
from outrider.spec.source import ApplicationSource, Origin


@dataclass(frozen=True)
class Followed:
    """One revision of a place that sources follow: a branch, a chart's range of versions, …"""

    chart: str
    revision: str
    passes_credentials: bool = False

    @classmethod
    def of(cls, source: ApplicationSource) -> "Followed":
        """Return what a source follows."""
        if source.origin is Origin.GIT:
            return cls("", source.revision)
        wanted = WantedChart.of(source)
        return cls(wanted.chart, wanted.version, wanted.passes_credentials)

    @property
    def shown(self) -> str:
        """How a person calls it."""
        return f"{self.chart} {self.revision}" if self.chart else self.revision


async def fetch_heads(
    git: GitStore, charts: ChartStore, place: Place, access: RepositoryAccess, followed: Sequence[Followed]
) -> dict[Followed, Head | GitError]:
    """Return what each revision stands for, or why it stands for nothing; GitError if the place as a whole can't be had."""
    if place.origin is Origin.GIT:
        commits = await git.fetch(access, [one.revision for one in followed])
        return {one: _head(commits[one.revision]) for one in followed}
    wanted = {one: WantedChart(one.chart, one.revision, one.passes_credentials) for one in followed}
    found = await charts.fetch(access, list(wanted.values()))
    return {one: found[chart] for one, chart in wanted.items()}


def _head(commit: str | GitError) -> Head | GitError:
    return commit if isinstance(commit, GitError) else Head(commit, commit, is_chart=False)
