"""The cluster's own document, which tells of its agent and its site: whether bytes are one, and what answers show of it.

It is folded as an application's is, under `subjects.CLUSTER`. It has no state that events are made from, and no set digest counts
it: a hub that is older than it ignores it.
"""

from typing import Any

from outrider import codec
from outrider.subjects import CLUSTER
from status_aggregator import document
from status_aggregator.shape import Listed


def listed_of(app: str, packed: bytes) -> Listed | None:
    """Return what the hub works with of a document, None of a cluster's own; MalformedMessage if it is none of its kind."""
    if app != CLUSTER:
        return document.listed(packed)
    document.of_cluster(packed)
    return None


def shown(packed: bytes) -> dict[str, Any]:
    """Return what was checked before; empty: nothing was said."""
    value: dict[str, Any] = codec.unpack(packed) if packed else {}
    return value
