"""What is wrong with a manifest, one sentence for each problem, with the full path of the field."""

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_WANTED = {
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "dict_type": "a map",
    "model_type": "a map",
    "list_type": "a list",
    "missing": "",
}
_NAMED = {str: "the text", bool: "", int: "the number", float: "the number", dict: "a map", list: "a list"}
_SHOWN_CHARS = 60


def problems(error: ValidationError, model: type[BaseModel], at: str = "") -> Iterator[str]:
    """Give each problem as `path.of.field: sentence`; `at` is where in the document the model's data was."""
    for item in error.errors(include_url=False, include_context=False):
        location = item["loc"]
        yield f"{path(location, at)}: {_sentence(item['type'], item['msg'], item['input'], location, model)}"


def path(location: tuple[int | str, ...], at: str = "") -> str:
    """Return a location as people write it: `spec.ignoreDifferences[0].kind`."""
    text = at
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the document"


def did_you_mean(name: str, known: list[str]) -> str:
    """Return what to add to a sentence about an unknown name: the closest known one, as `; did you mean prune?`."""
    lowered = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.7)
    return f"; did you mean {lowered[close[0]]}?" if close else ""


def shown(value: object) -> str:
    """Return a value of a manifest for a sentence: short, its kind named."""
    kind = _NAMED.get(type(value), f"a {type(value).__name__}")
    if isinstance(value, dict | list):
        return kind
    text = repr(value) if isinstance(value, str) else str(value).lower()
    if len(text) > _SHOWN_CHARS:
        text = f"{text[:_SHOWN_CHARS]}…"
    return f"{kind} {text}".strip()


def _sentence(
    kind: str, message: str, value: object, location: tuple[int | str, ...], model: type[BaseModel]
) -> str:
    if kind == "extra_forbidden":
        return f"unknown field{did_you_mean(str(location[-1]), _fields_beside(location, model))}"
    if kind == "missing":
        return "is required"
    if kind in _WANTED:
        return f"must be {_WANTED[kind]}, not {shown(value)}"
    if kind == "literal_error":
        return f"is {message.removeprefix('Input should be ')}, not {shown(value)}"
    if kind == "string_too_short":
        return "is empty"
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, ")


def _fields_beside(location: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """Return the names of the fields that the last part of a location could have been."""
    current: type[BaseModel] | None = model
    for part in location[:-1]:
        if isinstance(part, str) and current is not None:
            found = [f for name, f in current.model_fields.items() if part in (name, f.alias)]
            current = _model_in(found[0].annotation) if found else None
    if current is None:
        return []
    return [field.alias or name for name, field in current.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation, as in `list[Model] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)
