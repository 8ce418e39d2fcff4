"""Read the objects in files, folders and standard input, as kubectl reads manifests, within bounds.

A document that can't be read does not stop those after it. Each keeps its place (file, line, number, item of a list), so that
whatever is said of it later can say where it stands. What an object is good for is not judged here (`kinds`).
"""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outrider.rendering.kubeyaml import Bounds, Document, InvalidDocument, read_json, read_yaml

BOUNDS = Bounds()
SUFFIXES = (".yaml", ".yml", ".json")
FILES_MAX = 10_000
STANDARD_INPUT = "standard input"


@dataclass(frozen=True)
class Place:
    """Where an object stands. `number` counts documents from 1, 0 is the whole file; `item` counts those of a list from 1."""

    file: str
    number: int = 0
    line: int | None = None
    item: int = 0

    def __str__(self) -> str:
        line = f":{self.line}" if self.line else ""
        item = f", item {self.item}" if self.item else ""
        return f"{self.file}{line}" + (f" (document {self.number}{item})" if self.number else "")


@dataclass(frozen=True)
class Found:
    """An object with apiVersion, kind and name, or what is wrong with it."""

    place: Place
    manifest: dict[str, Any] | None = None
    error: str = ""
    warnings: tuple[str, ...] = ()


def read_all(names: Iterable[str], bounds: Bounds = BOUNDS) -> Iterator[Found]:
    """Yield every object in the named files and folders, folders whole and sorted by path; `-` is standard input."""
    for name in names:
        if name == "-":
            yield from _documents(STANDARD_INPUT, sys.stdin.buffer.read(bounds.max_bytes + 1), bounds)
        else:
            yield from _named(Path(name), bounds)


def _named(path: Path, bounds: Bounds) -> Iterator[Found]:
    try:
        files = _files(path)
    except OSError as error:
        yield Found(Place(str(path)), error=f"can't be read: {error.strerror}")
        return
    if not files:
        yield Found(Place(str(path)), error=f"holds no {', '.join(SUFFIXES)} file")
    if len(files) > FILES_MAX:
        many = f"holds {len(files)} files, more than the {FILES_MAX} that are read at once"
        yield Found(Place(str(path)), error=many)
        return
    for file in files:
        try:
            content = _content(file, bounds)
        except OSError as error:
            yield Found(Place(str(file)), error=f"can't be read: {error.strerror}")
        else:
            yield from _documents(str(file), content, bounds)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = []
    # Links to folders are not followed: they may lead round in circles. `.git` and its like hold nothing that was meant.
    for folder, folders, files in os.walk(path):
        folders[:] = [one for one in folders if not one.startswith(".")]
        found += [Path(folder, one) for one in files if one.endswith(SUFFIXES) and not one.startswith(".")]
    return sorted(one for one in found if one.is_file())


def _content(file: Path, bounds: Bounds) -> bytes:
    with file.open("rb") as opened:
        # One byte more than allowed tells the reader that there is more.
        return opened.read(bounds.max_bytes + 1)


def _documents(file: str, data: bytes, bounds: Bounds) -> Iterator[Found]:
    number = 0
    try:
        for document in _parse(data, bounds):
            number += 1
            yield from _expand(Place(file, number, document.line), document)
    except InvalidDocument as error:
        yield Found(Place(file, number + 1, error.line), error=error.reason)
    else:
        if number == 0:
            yield Found(Place(file), error="holds no document")


def _parse(data: bytes, bounds: Bounds) -> Iterator[Document]:
    # As kubectl does: what begins like JSON and is none may still be YAML.
    if data.lstrip()[:1] == b"{":
        with contextlib.suppress(InvalidDocument):
            return iter(list(read_json(data, bounds)))
    return read_yaml(data, bounds)


def _expand(place: Place, document: Document) -> Iterator[Found]:
    listed = items_of(document.value)
    if listed is None:
        yield _judged(place, document.value, document.warnings)
        return
    for number, one in enumerate(listed, 1):
        yield _judged(Place(place.file, place.number, place.line, number), one, document.warnings)


def items_of(value: Any) -> list[Any] | None:
    """Return the objects of a `List`, or of a typed list as the API gives it; None if a value is no list."""
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or not kind.endswith("List") or not isinstance(value.get("items"), list):
        return None
    if kind == "List":
        return list(value["items"])
    # The items of a typed list are of its type, and need not say so.
    typed = {"apiVersion": value.get("apiVersion"), "kind": kind.removesuffix("List")}
    return [{**typed, **one} if isinstance(one, dict) else one for one in value["items"]]


def _judged(place: Place, value: Any, warnings: tuple[str, ...]) -> Found:
    error = _unusable(value)
    return Found(place, None if error else value, error, warnings)


def _unusable(value: Any) -> str:
    """Return why a value is no object of Kubernetes; empty if it is one."""
    if not isinstance(value, dict):
        return "is no object: one begins with apiVersion and kind"
    for field in ("apiVersion", "kind"):
        if not isinstance(value.get(field), str) or not value[field]:
            return f"{field}: is missing or no text"
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        return "metadata.name: is missing or no text"
    return ""
