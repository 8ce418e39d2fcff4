"""The manifests of several sources as one bundle: of objects that come twice, the last counts, and a person is told."""

from collections.abc import Iterable
from typing import Any

REPEATED = "RepeatedResourceWarning"
_TOLD_MAX = 10
# Conditions of one application; more are counted in the last.


def combined(sources: Iterable[list[dict[str, Any]]]) -> tuple[list[dict[str, Any]], list[list[str]]]:
    """Return all manifests, and [type, message] for each object that more than one of them is.

    As in Argo CD, an object is its group, kind, namespace and name. One whose name is made by the cluster is never another.
    """
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    times: dict[tuple[str, ...], int] = {}
    for manifests in sources:
        for manifest in manifests:
            key = _key(manifest) or ("", str(len(found)), "", "", "unnamed")
            if key in found:
                times[key] = times.get(key, 1) + 1
                # It takes the place of the later one.
                del found[key]
            found[key] = manifest
    warnings = [_told(key, count) for key, count in list(times.items())[:_TOLD_MAX]]
    if len(times) > _TOLD_MAX:
        warnings[-1] = [REPEATED, f"{warnings[-1][1]} So do {len(times) - _TOLD_MAX} more."]
    return list(found.values()), warnings


def _key(manifest: dict[str, Any]) -> tuple[str, ...] | None:
    metadata = manifest["metadata"]
    name = metadata.get("name")
    if not name:
        return None
    group, slash, _ = manifest["apiVersion"].partition("/")
    return (group if slash else "", manifest["kind"], metadata.get("namespace") or "", name)


def _told(key: tuple[str, ...], count: int) -> list[str]:
    group, kind, namespace, name = key
    what = f"{kind}.{group}" if group else kind
    where = f"{namespace}/{name}" if namespace else name
    return [
        REPEATED,
        f"{what} {where} appears {count} times among the sources' objects; the last one counts.",
    ]
