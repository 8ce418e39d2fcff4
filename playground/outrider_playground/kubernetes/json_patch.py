"""JSON patch, RFC 6902."""

from __future__ import annotations

from typing import Any


class JsonPatchError(Exception):
    """A patch can't be carried out. `malformed` tells a patch that is none from one that does not fit the document."""

    def __init__(self, problem: str, *, malformed: bool = False) -> None:
        super().__init__(problem)
        self.malformed = malformed


def apply_json_patch(document: Any, operations: Any) -> Any:
    """Return the document after all operations, in order. Leaves the argument as it is."""
    if not isinstance(operations, list):
        raise JsonPatchError("a JSON patch is an array of operations", malformed=True)
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise JsonPatchError("an operation needs op and path", malformed=True)
        document = _carry_out(document, operation)
    return document


def _carry_out(document: Any, operation: dict[str, Any]) -> Any:
    kind, path = operation.get("op"), _steps(operation["path"])
    if kind == "test":
        if not _equal(_find(document, path), operation.get("value")):
            raise JsonPatchError(f"testing path {operation['path']} failed")
        return document
    if kind == "remove":
        return _edit(document, path, _removed)
    if kind == "add":
        return _edit(document, path, _adder(_value(operation)))
    if kind == "replace":
        _find(document, path)
        return _edit(document, path, _replacer(_value(operation)))
    if kind in {"move", "copy"}:
        return _move(document, operation, path)
    raise JsonPatchError(f"unknown operation {kind!r}", malformed=True)


def _move(document: Any, operation: dict[str, Any], path: list[str]) -> Any:
    source = operation.get("from")
    if not isinstance(source, str):
        raise JsonPatchError("an operation of this kind needs from", malformed=True)
    value = _find(document, _steps(source))
    if operation["op"] == "move":
        document = _edit(document, _steps(source), _removed)
    return _edit(document, path, _adder(value))


def _value(operation: dict[str, Any]) -> Any:
    if "value" not in operation:
        raise JsonPatchError("an operation of this kind needs a value", malformed=True)
    return operation["value"]


def _steps(pointer: str) -> list[str]:
    if not pointer:
        return []
    if not pointer.startswith("/"):
        raise JsonPatchError(f"{pointer} is no JSON pointer", malformed=True)
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]


def _find(document: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list):
            document = document[_place(document, step, 1)]
        else:
            raise JsonPatchError(f"path has no {step}")
    return document


def _place(items: list[Any], step: str, margin: int) -> int:
    """Read a list's index; `margin` 1 allows places that are taken, 0 also the one past the end."""
    if not step.isdigit() or int(step) > len(items) - margin:
        raise JsonPatchError(f"no place {step} in a list of {len(items)}")
    return int(step)


def _edit(document: Any, steps: list[str], change: Any) -> Any:
    if not steps:
        return change(None, "")
    step, rest = steps[0], steps[1:]
    if not rest and isinstance(document, dict | list):
        return change(document, step)
    if isinstance(document, dict) and step in document:
        return {**document, step: _edit(document[step], rest, change)}
    if isinstance(document, list):
        place = _place(document, step, 1)
        return [*document[:place], _edit(document[place], rest, change), *document[place + 1 :]]
    raise JsonPatchError(f"path has no {step}")


def _removed(parent: Any, step: str) -> Any:
    if isinstance(parent, list):
        place = _place(parent, step, 1)
        return [*parent[:place], *parent[place + 1 :]]
    if parent is None or step not in parent:
        raise JsonPatchError(f"nothing to remove at {step}")
    return {key: value for key, value in parent.items() if key != step}


def _adder(value: Any) -> Any:
    def add(parent: Any, step: str) -> Any:
        if parent is None:
            return value
        if isinstance(parent, list):
            place = len(parent) if step == "-" else _place(parent, step, 0)
            return [*parent[:place], value, *parent[place:]]
        return {**parent, step: value}

    return add


def _replacer(value: Any) -> Any:
    def replace(parent: Any, step: str) -> Any:
        if parent is None:
            return value
        if isinstance(parent, list):
            place = _place(parent, step, 1)
            return [*parent[:place], value, *parent[place + 1 :]]
        return {**parent, step: value}

    return replace


def _equal(left: Any, right: Any) -> bool:
    """Compare as JSON does: true is not 1."""
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)
