"""A digest over what a source reads: a commit that leaves it as it was calls for no rendering.

It is made of ids of trees and files alone, which Git keeps anyway; no file is read but kustomizations, Jsonnet and Chart.yaml, each once.
"""

from dataclasses import dataclass

from outrider.rendering.git.reach import Reach
from outrider.rendering.identity import digest, parameters
from outrider.spec.source import ApplicationSource, SourceKind


@dataclass(frozen=True)
class Fingerprint:
    """What a source reads at a revision, as a digest, and the tool that renders it.

    `overrides` are the files in its folder that change its options (`.argocd-source.yaml`): with them taken into account, the
    source is another one.
    """

    kind: SourceKind
    digest: str
    overrides: tuple[str, ...] = ()


def fingerprint(reach: Reach, source: ApplicationSource) -> Fingerprint:
    """Return the fingerprint of a source whose reach is known."""
    content = digest([parameters(source, reach.kind), contents(reach)])
    return Fingerprint(reach.kind, content, tuple(f"{reach.path}/{name}" for name in reach.overrides))


def contents(reach: Reach) -> list[list[list[str | int]]]:
    """Return what a reach holds, by ids."""
    parts: list[list[str | int]] = [
        [_hex(path), entry.mode, entry.object_id.decode()] for path, entry in sorted(reach.parts.items())
    ]
    aliases: list[list[str | int]] = [
        [_hex(path), _hex(real)] for path, real in sorted(reach.aliases.items())
    ]
    return [parts, aliases]


def _hex(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").hex()
