"""The cluster's own document, which tells of its agent and its site: whether bytes are one, and what answers show of it.

It is folded as an application's is, under `subjects.CLUSTER`. It has no state that events are made from, and no set digest counts
it: a hub that is older than it ignores it.
"""

from typing import Any, Final

from outrider import codec
from outrider.codec import MalformedMessage
from outrider.subjects import CLUSTER
from status_aggregator import document
from status_aggregator.document import UNKNOWN, Headline

SECTIONS: Final = ("agent", "replica", "link", "hold", "rendering")
NO_HEADLINE: Final = Headline("", UNKNOWN)


def headline_of(app: str, packed: bytes) -> Headline:
    """Return the fields that decide of a document; MalformedMessage if it is none of its kind."""
    if app != CLUSTER:
        return document.headline(packed)
    check(packed)
    return NO_HEADLINE


def check_of(app: str, packed: bytes) -> dict[str, Any]:
    """Return the whole document; MalformedMessage names the field that is not of its shape."""
    return check(packed) if app == CLUSTER else document.check(packed)


def check(packed: bytes) -> dict[str, Any]:
    """Return a cluster's own document. Sections that this version does not know are kept."""
    value = codec.unpack(packed)
    if not isinstance(value, dict):
        raise MalformedMessage("cluster document: not a map")
    for section in SECTIONS:
        if not isinstance(value.get(section, {}), dict):
            raise MalformedMessage(f"cluster document: {section} is not a map")
    document.check_conditions(value)
    return value


def shown(packed: bytes) -> dict[str, Any]:
    """Return what was checked before; empty: nothing was said."""
    value: dict[str, Any] = codec.unpack(packed) if packed else {}
    return value
