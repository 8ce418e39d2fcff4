"""From documents to manifests: lists are taken apart, and each one has what every Kubernetes object needs."""

from collections.abc import Iterator
from typing import Any

from outrider.rendering.errors import RenderError

_LISTS_MAX = 8
# Lists in lists in lists: nobody writes more than two.


def manifests_of(
    value: Any, stage: str, file: str, line: int | None, nested: int = 0
) -> Iterator[dict[str, Any]]:
    """Yield the manifests of one document; RenderError names what one of them lacks."""
    if not isinstance(value, dict):
        raise RenderError(stage, f"is {_article(value)} where a manifest is expected", file=file, line=line)
    items = value.get("items")
    if _is_list(value) and (items is None or isinstance(items, list)):
        if nested >= _LISTS_MAX:
            raise RenderError(stage, "holds lists inside lists", file=file, line=line)
        for item in items or []:
            yield from manifests_of(item, stage, file, line, nested + 1)
        return
    _check(value, stage, file, line)
    yield value


def _is_list(value: dict[str, Any]) -> bool:
    kind = value.get("kind")
    return isinstance(kind, str) and kind.endswith("List") and "items" in value


def _article(value: Any) -> str:
    names = {
        list: "a list",
        str: "text",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        type(None): "empty",
    }
    return names.get(type(value), "no mapping")


def _check(manifest: dict[str, Any], stage: str, file: str, line: int | None) -> None:
    for name in ("apiVersion", "kind"):
        if not isinstance(manifest.get(name), str) or not manifest[name]:
            raise RenderError(stage, "is missing, or no text", file=file, line=line, field=name)
    what = f"{manifest['kind']} "
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        raise RenderError(stage, f"{what}has no metadata", file=file, line=line, field="metadata")
    called = metadata.get("name") or metadata.get("generateName")
    if not isinstance(called, str):
        reason = f"{what}has no name (and no generateName), or one that is no text; quote it"
        raise RenderError(stage, reason, file=file, line=line, field="metadata.name")
    if not isinstance(metadata.get("namespace") or "", str):
        raise RenderError(
            stage, f"{what}{called}: is no text; quote it", file=file, line=line, field="metadata.namespace"
        )
    for field in ("labels", "annotations"):
        _check_texts(metadata.get(field), stage, f"{what}{called}", f"metadata.{field}", file, line)


def _check_texts(texts: Any, stage: str, what: str, field: str, file: str, line: int | None) -> None:
    if texts is None:
        return
    if not isinstance(texts, dict):
        raise RenderError(stage, f"{what}: is no mapping", file=file, line=line, field=field)
    for key, value in texts.items():
        if value is not None and not isinstance(value, str):
            reason = f"{what}: the value of {key!r} is no text; quote it"
            raise RenderError(stage, reason, file=file, line=line, field=field)
