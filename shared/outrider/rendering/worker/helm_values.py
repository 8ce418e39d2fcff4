"""Put together the values of a release: value files, then `values` or `valuesObject`, then parameters, then file parameters.

Helm's own parsers read the files and the `--set` expressions; what is here is the order, and the merging between them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import helm_python

from outrider.rendering.errors import RenderError
from outrider.rendering.worker.job import Job
from outrider.rendering.worker.value_files import find, value_files

STAGE = "helm"
_SOURCE = "spec.source.helm"
_MARK = "outrider-file-content"


def release_values(job: Job) -> dict[str, Any]:
    """Return the values to render with; RenderError names the file or the field that can't be used."""
    options = job.options
    values: dict[str, Any] = {}
    for path in value_files(
        job, options.get("value_files", []), options.get("ignore_missing_value_files", False)
    ):
        values = merged(values, _parsed(job, path))
    if options.get("values_object") is not None:
        values = merged(values, options["values_object"])
    elif options.get("values"):
        values = merged(values, _values(options["values"], field=f"{_SOURCE}.values"))
    for index, parameter in _in_order(options.get("parameters", [])):
        values = _set(values, parameter, f"{_SOURCE}.parameters[{index}]")
    for index, parameter in enumerate(options.get("file_parameters", [])):
        values = _set_file(job, values, parameter, f"{_SOURCE}.fileParameters[{index}]")
    return values


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return two sets of values as one: mappings are merged, anything else is replaced, null included."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _in_order(parameters: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    """Return the parameters with their places, those that force text after the others, as `helm --set-string` is read."""
    numbered = list(enumerate(parameters))
    return sorted(numbered, key=lambda item: bool(item[1].get("force_string")))


def _parsed(job: Job, path: Path) -> dict[str, Any]:
    if path.stat().st_size > job.bounds.max_bytes:
        raise RenderError(
            STAGE, f"has more than the {job.bounds.max_bytes} bytes allowed", file=job.shown(path)
        )
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        raise RenderError(STAGE, "is not UTF-8", file=job.shown(path)) from None
    return _values(text, file=job.shown(path))


def _values(text: str, *, file: str | None = None, field: str | None = None) -> dict[str, Any]:
    try:
        return helm_python.values_from_yaml(text) or {}
    except helm_python.HelmError as error:
        raise RenderError(STAGE, str(error), file=file, field=field) from None


def _set(values: dict[str, Any], parameter: dict[str, Any], field: str) -> dict[str, Any]:
    name, text = parameter["name"], _escaped(parameter.get("value", ""))
    parse = (
        helm_python.parse_set_string_values if parameter.get("force_string") else helm_python.parse_set_string
    )
    return _set_in(values, _expression(f"{name}={text}", parse, field))


def _expression(text: str, parse: Callable[[str], dict[str, Any]], field: str) -> dict[str, Any]:
    try:
        parsed = parse(text)
    except helm_python.HelmError as error:
        raise RenderError(STAGE, str(error), field=field) from None
    if not parsed:
        # Helm's parser passes over a name that it can't read.
        raise RenderError(STAGE, f"{text[:80]!r} names no value that could be set", field=field)
    return parsed


def _set_file(job: Job, values: dict[str, Any], parameter: dict[str, Any], field: str) -> dict[str, Any]:
    path = find(job, parameter["path"])
    if path is None:
        raise RenderError(
            STAGE, f"{parameter['path']!r} does not exist in the repository", field=f"{field}.path"
        )
    content = path.read_bytes().decode("utf-8", "replace")
    parsed = _expression(f"{parameter['name']}={_MARK}", helm_python.parse_set_string_values, field)
    return _set_in(values, {key: _with_content(value, content) for key, value in parsed.items()})


def _with_content(value: Any, content: str) -> Any:
    if isinstance(value, dict):
        return {key: _with_content(item, content) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_content(item, content) for item in value]
    return content if value == _MARK else value


def _set_in(values: dict[str, Any], parsed: dict[str, Any]) -> dict[str, Any]:
    return {**values, **{key: _laid_over(values.get(key), value) for key, value in parsed.items()}}


def _laid_over(base: Any, over: Any) -> Any:
    """Return `base` with what one `--set` names replaced: in a list, `a[1]=x` leaves the other items as they are.

    Helm's parser, given no list to begin with, fills the places before the named one with null.
    """
    if isinstance(base, dict) and isinstance(over, dict):
        return _set_in(base, over)
    if isinstance(base, list) and isinstance(over, list) and None in over[:-1]:
        items = list(base) + [None] * (len(over) - len(base))
        for index, value in enumerate(over):
            if value is not None:
                items[index] = _laid_over(items[index], value)
        return items
    return over


def _escaped(text: str) -> str:
    """Escape the commas of a value, as Argo CD does: only `{a,b}` is a list."""
    if text.startswith("{") and text.endswith("}"):
        return text
    escaped = ""
    for index, char in enumerate(text):
        escaped += "\\," if char == "," and text[index - 1 : index] != "\\" else char
    return escaped
