"""Hide a Secret's values and keep what can be told of them: which are equal. Pure.

As in Argo CD, a value becomes a row of plus signs; the same value under the same name becomes the same row in
all objects that are masked together, another value a longer one. The rows say nothing of the values, their
length included, and a value that looks like a row is masked like any other.

A Secret's values stand not only in its data. Copies of it in annotations (kubectl's last applied
configuration and its like) are masked inside; what can't be read, and any text that holds one of the values,
is masked whole.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outrider.manifests.names import Object

_SHORTEST = 8
_STEP = 4
# What of a Secret is no secret. Everything else is masked, fields that don't exist included: a misspelt
# `stringData` holds values, too.
_OPEN = frozenset({"apiVersion", "kind", "metadata", "type", "immutable"})
# Annotations that hold a copy of the object, in whatever form.
_COPIES = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "kapp.k14s.io/original",
        "objectset.rio.cattle.io/applied",
        "banzaicloud.com/last-applied",
    }
)
# A longer annotation that can't be read may be a copy in a form that isn't known. Characters.
_UNREAD_LIMIT = 512
# A shorter value is found in any text.
_FOUND_FROM = 4


def is_secret(found: Mapping[str, Any]) -> bool:
    """Say whether an object's values are not to be shown."""
    return found.get("kind") == "Secret" and "/" not in str(found.get("apiVersion") or "")


def masked(*found: Object | None) -> tuple[Object | None, ...]:
    """Return the objects, masked together where one of them is a Secret; None stays None."""
    if not any(one is not None and is_secret(one) for one in found):
        return found
    rows = _Rows()
    values = frozenset(value for one in found if one is not None for value in _values_in(one))
    return tuple(None if one is None else _masked(one, rows, values) for one in found)


class _Rows:
    """Which row stands for which value, by the name that it stands under."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, str]] = {}

    def of(self, name: str, value: Any) -> str:
        known = self._rows.setdefault(name, {})
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        return known.setdefault(text, "+" * (_SHORTEST + _STEP * len(known)))


def _masked(found: Object, rows: _Rows, values: frozenset[str]) -> Object:
    result: Object = {}
    for name, value in found.items():
        if name == "metadata" and isinstance(value, Mapping):
            result[name] = _masked_metadata(value, rows, values)
        elif name in _OPEN:
            result[name] = value
        elif name in ("data", "stringData") and isinstance(value, Mapping):
            plain = name == "stringData"
            result[name] = {key: rows.of(key, _encoded(one, plain=plain)) for key, one in value.items()}
        elif value is not None:
            result[name] = rows.of(f".{name}", value)
    return result


def _masked_metadata(metadata: Mapping[str, Any], rows: _Rows, values: frozenset[str]) -> dict[str, Any]:
    result = {name: value for name, value in metadata.items() if name != "managedFields"}
    for part in ("annotations", "labels"):
        texts = metadata.get(part)
        if isinstance(texts, Mapping):
            result[part] = {
                name: _masked_text(f"{part}/{name}", str(text), rows, values) for name, text in texts.items()
            }
    return result


def _masked_text(name: str, text: str, rows: _Rows, values: frozenset[str]) -> str:
    copy: Any = None
    with contextlib.suppress(ValueError, RecursionError):
        copy = json.loads(text)
    if isinstance(copy, dict) and is_secret(copy):
        return json.dumps(_masked(copy, rows, values), separators=(",", ":"))
    copied = name.partition("/")[2] in _COPIES or len(text) > _UNREAD_LIMIT
    if copied or any(value == text or (len(value) >= _FOUND_FROM and value in text) for value in values):
        return rows.of(name, text)
    return text


def _values_in(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield a Secret's values, as they are stored and as they are meant."""
    for part in ("data", "stringData"):
        held = found.get(part)
        for value in held.values() if isinstance(held, Mapping) else ():
            if isinstance(value, str) and value:
                yield value
                yield _decoded(value) if part == "data" else _encoded(value, plain=True)


def _encoded(value: Any, *, plain: bool) -> Any:
    """Return a value as it is stored: the same value of `data` and `stringData` is the same."""
    if not isinstance(value, str):
        return value
    if plain:
        return base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()
    with contextlib.suppress(binascii.Error, ValueError):
        return base64.b64encode(base64.b64decode(value)).decode()
    return value


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value).decode()
    except (binascii.Error, ValueError):
        return value
