"""What passes from the repositories to the renderers: one source's files in a folder of their own."""

from dataclasses import dataclass
from pathlib import Path

from outrider.spec.source import SourceKind

SOURCE_FOLDER = "source"
REFERENCES_FOLDER = "references"


@dataclass(frozen=True)
class Export:
    """A source's files, and those that it reads of other sources.

    In `folder`, `source` stands for the repository's root (`path` is the source's own folder below it), and `references/NAME` for
    the root of the source whose `ref` is NAME. `origin` tells sources apart in the renderer's memory: which repository, which path.
    """

    folder: Path
    path: str
    kind: SourceKind
    origin: str

    @property
    def root(self) -> Path:
        """The root of the source's repository."""
        return self.folder / SOURCE_FOLDER
