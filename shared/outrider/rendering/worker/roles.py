"""The two kinds of worker. They differ in what they must be able to do, and so in what they are denied."""

from enum import StrEnum


class Role(StrEnum):
    """What a worker renders."""

    MANIFESTS = "manifests"
    # Folders and kustomizations: starts kubectl, and writes to its own folder.
    CHARTS = "charts"
    # Helm charts: starts nothing and writes nothing; Helm's library runs in it.
