"""What a rendering fails with."""

from dataclasses import asdict, dataclass
from typing import Any


class RenderError(Exception):
    """A source that can't be rendered, and where in it the reason is.

    `transient` tells whether the same source may render later (it was cut off by a limit, or its worker died); otherwise it
    stays so until the source changes. `file` is a path in the repository.
    """

    def __init__(
        self,
        stage: str,
        reason: str,
        *,
        file: str | None = None,
        line: int | None = None,
        field: str | None = None,
        transient: bool = False,
    ) -> None:
        self.stage, self.reason, self.file, self.line, self.field = stage, reason, file, line, field
        self.transient = transient
        place = file if line is None else f"{file}:{line}"
        super().__init__(": ".join(part for part in (place, field, reason) if part))

    def as_dict(self) -> dict[str, Any]:
        """Return the attributes, for a passage between processes."""
        return {
            "stage": self.stage,
            "reason": self.reason,
            "file": self.file,
            "line": self.line,
            "field": self.field,
            "transient": self.transient,
        }


@dataclass(frozen=True)
class MissingChart:
    """A chart that another one depends on: a version or a range of versions, and where to fetch it from."""

    name: str
    version: str
    repository: str

    @property
    def shown(self) -> str:
        """How a person calls it; without a password that somebody wrote into the URL."""
        scheme, _, rest = self.repository.partition("://")
        return f"{self.name} {self.version} ({scheme}://{rest.rpartition('@')[2]})"


class ChartsMissing(RenderError):
    """A chart that can't be rendered before others are in its `charts/`."""

    def __init__(self, charts: list[MissingChart], *, file: str) -> None:
        self.charts = charts
        named = ", ".join(chart.shown for chart in charts)
        super().__init__("helm", f"these charts are not in charts/: {named}", file=file)

    def as_dict(self) -> dict[str, Any]:
        """Return what makes it, for a passage between processes."""
        return {"charts": [asdict(chart) for chart in self.charts], "file": self.file}


def from_answer(attributes: dict[str, Any]) -> RenderError:
    """Return the error that a worker answered with."""
    if "charts" in attributes:
        return ChartsMissing(
            [MissingChart(**chart) for chart in attributes["charts"]], file=attributes["file"]
        )
    return RenderError(**attributes)
