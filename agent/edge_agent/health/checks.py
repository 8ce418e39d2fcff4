"""How one live object fares: by the script that the cluster's settings have for its kind, else by the agent's
own check. A kind with neither has no health and counts for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.built_in import built_in
from edge_agent.health.by_kind import ByKind
from edge_agent.health.lua import Script, ScriptFailed
from edge_agent.health.model import ORDER, PROGRESSING, UNKNOWN, Health, section

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Of what a script says; the status document goes over a thin link.
MESSAGE_CHARS = 2048

HOOK_FINALIZER = "argocd.argoproj.io/hook-finalizer"
"""Holds a hook's object until its sync has seen how it ended."""


class Checks:
    """The checks that hold for a cluster."""

    def __init__(self, scripts: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """`scripts`: the settings' `health`, `{"lua": script, "openLibs": bool}` by kind."""
        self._scripts = ByKind(
            {
                kind: Script(
                    f"health script of {kind.lstrip('/')}", entry["lua"], entry.get("openLibs") is True
                )
                for kind, entry in (scripts or {}).items()
                if isinstance(entry.get("lua"), str) and entry["lua"].strip()
            }
        )

    def check(self, group: str, kind: str, live: Mapping[str, Any]) -> Health | None:
        """Return a live object's health. Anything being deleted is Progressing. Raises nothing, whatever
        the object's shape and whatever a script does.
        """
        metadata = section(live, "metadata")
        if metadata.get("deletionTimestamp") and HOOK_FINALIZER not in (metadata.get("finalizers") or ()):
            return Health(PROGRESSING, "is being deleted")
        script = self._scripts.find(group, kind)
        if script is not None:
            return _by_script(script, live)
        judge = built_in(group, kind)
        try:
            return judge(live) if judge else None
        except (AttributeError, KeyError, TypeError, ValueError):
            # An object that isn't shaped as its kind is: a server with another idea of the kind.
            return Health(UNKNOWN, "has a status that can't be read")

    def judges(self, group: str, kind: str) -> bool:
        """Say whether a kind has a check."""
        return self._scripts.find(group, kind) is not None or built_in(group, kind) is not None

    def differing(self, other: Checks, kinds: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return those of the kinds (group and kind) that the other checks judge by another script."""
        return [sort for sort in kinds if self._text(*sort) != other._text(*sort)]

    def _text(self, group: str, kind: str) -> tuple[str, bool] | None:
        script = self._scripts.find(group, kind)
        return (script.source, script.open_libs) if script else None


def _by_script(script: Script, live: Mapping[str, Any]) -> Health | None:
    # Who set which field is no part of how an object fares, and more than half of many objects.
    metadata = {name: value for name, value in section(live, "metadata").items() if name != "managedFields"}
    try:
        found = script.run({**live, "metadata": metadata})
    except ScriptFailed as error:
        return Health(UNKNOWN, _short(str(error)))
    if not found and (found is None or isinstance(found, list)):
        # Nothing, or an empty table: the script has no opinion.
        return None
    if not isinstance(found, dict):
        return Health(UNKNOWN, f"{script.name}: returned no table with a status")
    message = found.get("message", "")
    for status in ORDER:
        if found.get("status") == status and isinstance(message, str):
            return Health(status, _short(message))
    if not isinstance(message, str):
        return Health(UNKNOWN, f"{script.name}: returned a message that is no text")
    return Health(
        UNKNOWN,
        f"{script.name}: returned a status that is none of health's words: {found.get('status')!s:.40}",
    )


def _short(message: str) -> str:
    return message if len(message) <= MESSAGE_CHARS else message[: MESSAGE_CHARS - 1] + "…"


_BUILT_IN = Checks()


def check(group: str, kind: str, live: Mapping[str, Any]) -> Health | None:
    """Return a live object's health by the agent's own checks alone."""
    return _BUILT_IN.check(group, kind, live)
