"""What is said of a loss: one sentence for a person, and what the journal notes. Pure."""

from collections.abc import Iterable
from typing import Any

from edge_agent.replica.losses import Loss

NAMES_MAX = 10
# In one sentence: the journal has them all.

_SAID = {
    "file": "the replica was damaged, set aside, and made anew of what still held in it",
    "newest": "the newest changes of the replica are lost",
    "record": "desired state was damaged and is asked for again; what runs stays as it is",
    "copy": "one of two copies of desired state was damaged and is written again from the other one",
    "core": "what was done and asked for was damaged and is taken from its other copy, where that holds: else the "
    "history is lost, and hooks of a sync that was under way may run again",
    "progress": "what was found out was damaged and is found out again",
    "rendering": "what was rendered here was damaged and is rendered again",
    "hold": "a hold of the site was damaged and holds no more: hold again where that is wanted",
    "journal": "entries of the journal were damaged and stand in it as gaps",
    "numbers": "numbers of the replica were damaged; everything is asked for again",
    "bundle": "bundles were damaged and are fetched again",
}


def sentence(losses: Iterable[Loss]) -> str:
    """Say what was lost, by kind; empty where nothing was."""
    parts = []
    found = list(losses)
    for what, said in _SAID.items():
        of_kind = [loss for loss in found if loss.what == what]
        if not of_kind:
            continue
        names = sorted({loss.name for loss in of_kind} - {""}) if what not in _NAMELESS else []
        more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
        about = f" ({', '.join(names[:NAMES_MAX])}{more})" if names else ""
        why = of_kind[-1].why if what in ("file", "newest") and of_kind[-1].why else ""
        parts.append(f"{said}{about}" + (f" ({why})" if why else ""))
    return "; ".join(parts)


_NAMELESS = frozenset({"file", "newest", "numbers", "hold", "journal", "bundle"})
# Their names are numbers and digests, which tell a person nothing.


def entries(losses: Iterable[Loss]) -> dict[str, list[dict[str, Any]]]:
    """Return the details of journal entries, by application; empty: the cluster."""
    found: dict[str, list[dict[str, Any]]] = {}
    for loss in losses:
        app = "" if loss.what in _NAMELESS else loss.name
        detail = {"what": loss.what, "message": _SAID[loss.what]} | ({"why": loss.why} if loss.why else {})
        if detail not in found.setdefault(app, []):
            found[app].append(detail)
    return found
