"""What a worker is asked to do, and what it makes of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outrider.rendering.kubeyaml import Bounds


@dataclass(frozen=True)
class Job:
    """One source to render: its files lie below `root`, its own folder at `path`; `options` are those of the tool."""

    root: Path
    path: str
    kind: str
    options: dict[str, Any]
    release: dict[str, str]
    bounds: Bounds
    references: Path = Path()
    # `references/NAME` holds what is read of the source whose ref is NAME.

    @property
    def folder(self) -> Path:
        """The source's own folder."""
        return self.root / self.path

    def shown(self, path: Path) -> str:
        """Return a path as it is in the repository (of another source, after its ref), in characters that can be shown."""
        if path.is_relative_to(self.root):
            text = path.relative_to(self.root).as_posix()
        else:
            text = f"${path.relative_to(self.references).as_posix()}"
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@dataclass
class Outcome:
    """The manifests of a source in the order in which they were rendered, and what a person should look at."""

    manifests: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
