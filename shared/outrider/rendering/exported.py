"""What passes from the repositories to the renderers: one source's files in a folder of their own."""

from dataclasses import dataclass
from pathlib import Path

from outrider.spec.source import SourceKind


@dataclass(frozen=True)
class Export:
    """A source's files. `root` stands for the repository's root, `path` is the source's below it.

    `origin` tells sources apart in the renderer's memory: which repository, which path.
    """

    root: Path
    path: str
    kind: SourceKind
    origin: str
