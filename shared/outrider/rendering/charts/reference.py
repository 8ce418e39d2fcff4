"""Which chart or artifact is wanted, and what it turned out to be."""

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

from outrider.spec.source import ApplicationSource, Origin


@dataclass(frozen=True)
class Wanted:
    """A chart of a repository or registry (`chart`, which is empty for an artifact that is its own repository), and its version.

    `version` is exact, a range, or for a registry a tag or digest.
    """

    chart: str
    version: str
    passes_credentials: bool = False
    # To other hosts that the repository's index names.

    @classmethod
    def of(cls, source: ApplicationSource) -> "Wanted":
        """Return what a source wants."""
        passes = bool(source.helm and source.helm.pass_credentials and source.origin is Origin.CHART)
        return cls(source.chart, source.target_revision, passes)


@dataclass(frozen=True)
class Head:
    """What a version stands for now: the version (or a registry's digest, for an artifact), and the SHA-256 of the archive."""

    revision: str
    content: str
    is_chart: bool = True
    # An archive of a chart holds one folder with everything in it.


def sha256_of(file: BinaryIO) -> str:
    """Return the digest of a whole file that was just written."""
    file.flush()
    file.seek(0)
    digest = hashlib.sha256()
    while data := file.read(1 << 20):
        digest.update(data)
    return digest.hexdigest()
