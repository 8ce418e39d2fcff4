"""A digest over what a source reads: a commit that leaves it as it was calls for no rendering.

It is made of ids of trees and files alone, which Git keeps anyway; no file is read but kustomizations and Chart.yaml, each once.
"""

from dataclasses import dataclass

from outrider.rendering.git.reach import Reach
from outrider.rendering.identity import digest, parameters
from outrider.spec.source import ApplicationSource, SourceKind


@dataclass(frozen=True)
class Fingerprint:
    """What a source reads at a commit, as a digest, and the tool that renders it."""

    kind: SourceKind
    digest: str


def fingerprint(reach: Reach, source: ApplicationSource) -> Fingerprint:
    """Return the fingerprint of a source whose reach is known."""
    parts = [
        [path.encode("utf-8", "surrogateescape").hex(), entry.mode, entry.object_id.decode()]
        for path, entry in sorted(reach.parts.items())
    ]
    return Fingerprint(reach.kind, digest([parameters(source, reach.kind), parts]))
