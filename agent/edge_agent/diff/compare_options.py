"""Argo CD's `argocd.argoproj.io/compare-options`, of an application and of one object. Pure.

Of an application:
- `ServerSideDiff=true`: every object is compared by a dry run of its apply. Else that is done where the
  projection differs, which finds the same, but for what only an admission webhook would change by now.
- `IncludeMutationWebhook=true`, beside it: what webhooks would change counts, too.
- `ServerSideDiff=false` changes nothing: a dry run only ever clears a suspicion.

Of an object that is no longer desired: `IgnoreExtraneous`, it doesn't make its application OutOfSync. Whether
it is pruned is another question (`Prune=false`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ANNOTATION = "argocd.argoproj.io/compare-options"

SERVER_SIDE = "ServerSideDiff"
BY_WEBHOOKS = "IncludeMutationWebhook"
EXTRANEOUS = "IgnoreExtraneous"


def options_of(annotations: Mapping[str, Any]) -> frozenset[str]:
    """Return the options that are on."""
    found = set()
    for option in str(annotations.get(ANNOTATION) or "").split(","):
        name, _, value = option.strip().partition("=")
        if name and value in ("", "true"):
            found.add(name)
    if SERVER_SIDE not in found:
        # As in Argo CD: it says what a server-side comparison takes in.
        found.discard(BY_WEBHOOKS)
    return frozenset(found)


def is_extraneous(live: Mapping[str, Any]) -> bool:
    """Say whether an object asks not to count once it isn't desired any more."""
    return EXTRANEOUS in options_of((live.get("metadata") or {}).get("annotations") or {})
