"""The phases of a sync and of a removal, and which of them an object belongs to. Pure.

An object without a hook annotation is applied in phase Sync. One with it is a hook: it runs once in each phase
that the annotation names. Argo CD's annotation counts before Helm's, object by object; Helm's hooks are
mapped onto the phases (argo-cd, `docs/user-guide/helm.md`), those of its rollbacks and tests never run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Phase = Literal["PreSync", "Sync", "PostSync", "SyncFail", "PreDelete", "PostDelete"]

PRE_SYNC: Phase = "PreSync"
SYNC: Phase = "Sync"
POST_SYNC: Phase = "PostSync"
SYNC_FAIL: Phase = "SyncFail"
PRE_DELETE: Phase = "PreDelete"
POST_DELETE: Phase = "PostDelete"

DELETE_PHASES = frozenset({PRE_DELETE, POST_DELETE})
"""The hooks of an application's end."""

HOOK = "argocd.argoproj.io/hook"
HELM_HOOK = "helm.sh/hook"
SKIP = "Skip"

_PLACES: Mapping[Phase, int] = {
    PRE_SYNC: 0,
    SYNC: 1,
    POST_SYNC: 2,
    SYNC_FAIL: 3,
    PRE_DELETE: 4,
    POST_DELETE: 5,
}
ALL = tuple(_PLACES)
_BY_NAME: Mapping[str, Phase] = {phase: phase for phase in _PLACES}
_OF_HELM: Mapping[str, Phase] = {
    "pre-install": PRE_SYNC,
    "pre-upgrade": PRE_SYNC,
    "post-install": POST_SYNC,
    "post-upgrade": POST_SYNC,
    "pre-delete": PRE_DELETE,
    "post-delete": POST_DELETE,
}
# Helm 2's mark of a definition: no hook, an object like any other.
_DEFINITION = "crd-install"


class UnknownHook(ValueError):
    """An annotation names a hook that doesn't exist."""


def place(phase: Phase) -> int:
    """Return a phase's place in the order."""
    return _PLACES[phase]


def is_hook(manifest: Mapping[str, Any]) -> bool:
    """Say whether an object, live or desired, is a hook or one that is skipped."""
    try:
        return phases_of(manifest) is not None
    except UnknownHook:
        return True


def phases_of(manifest: Mapping[str, Any]) -> tuple[Phase, ...] | None:
    """Return the phases in which a hook runs, in order; none for one that never does; None for an object that
    is no hook. Raises `UnknownHook`.
    """
    annotations = (manifest.get("metadata") or {}).get("annotations") or {}
    named = words(annotations.get(HOOK))
    if named:
        return _of_argo(named)
    named = words(annotations.get(HELM_HOOK))
    if not named or named == [_DEFINITION]:
        return None
    return _ordered({_OF_HELM[name] for name in named if name in _OF_HELM})


def words(value: object) -> list[str]:
    """Return the parts of a comma-separated annotation."""
    return [word.strip() for word in str(value or "").split(",") if word.strip()]


def _of_argo(named: list[str]) -> tuple[Phase, ...]:
    unknown = [name for name in named if name not in _BY_NAME and name != SKIP]
    if unknown:
        raise UnknownHook(
            f"annotation {HOOK}: {unknown[0]!r} is no hook; write {', '.join(_PLACES)} or {SKIP}"
        )
    return _ordered({_BY_NAME[name] for name in named if name != SKIP})


def _ordered(phases: set[Phase]) -> tuple[Phase, ...]:
    return tuple(sorted(phases, key=place))
