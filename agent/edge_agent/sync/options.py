"""Sync options, of the application (`spec.syncPolicy.syncOptions`) and of one object (its annotation). Pure.

Written `Name=value`; an object's own option overrides the application's. Options that change nothing here are
kept and ignored; those that would change something and aren't supported are refused by the hub before they
get here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

ANNOTATION = "argocd.argoproj.io/sync-options"
HELM_POLICY = "helm.sh/resource-policy"

Options = Mapping[str, str]

NONE: Options = {}


def parse(options: Iterable[object]) -> Options:
    """Read options; a later one wins."""
    parsed = {}
    for option in options:
        name, equals, value = str(option).strip().partition("=")
        if name and equals:
            parsed[name] = value
    return parsed or NONE


def of_object(manifest: Mapping[str, Any]) -> Options:
    """Read an object's own options: Argo CD's annotation, and Helm's `resource-policy: keep`."""
    annotations = (manifest.get("metadata") or {}).get("annotations") or {}
    found = parse(str(annotations.get(ANNOTATION) or "").split(","))
    if annotations.get(HELM_POLICY) == "keep":
        found = {"Prune": "false", "Delete": "false", **found}
    return found


def enabled(name: str, own: Options, general: Options, *, default: bool = False) -> bool:
    """Say whether an option is on: the object's own word, else the application's, else the default."""
    value = own.get(name, general.get(name))
    return default if value is None else value == "true"
