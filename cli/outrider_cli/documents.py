"""Read the applications in files, folders and standard input, as kubectl reads manifests, within bounds.

A document that can't be used does not stop those after it. Each keeps its place (file, number, line), so that whatever is said
of it later can say where it stands.
"""

import contextlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outrider.rendering.kubeyaml import Bounds, Document, InvalidDocument, read_json, read_yaml

BOUNDS = Bounds()
SUFFIXES = (".yaml", ".yml", ".json")
FILES_MAX = 10_000
API_VERSION, KIND = "argoproj.io/v1alpha1", "Application"


@dataclass(frozen=True)
class Place:
    """Where a document stands. `number` counts from 1; 0 is the whole file."""

    file: str
    number: int = 0
    line: int | None = None

    def __str__(self) -> str:
        line = f":{self.line}" if self.line else ""
        return f"{self.file}{line}" + (f" (document {self.number})" if self.number else "")


@dataclass(frozen=True)
class Found:
    """A document: an Application's manifest, or what is wrong with it."""

    place: Place
    manifest: dict[str, Any] | None = None
    error: str = ""
    warnings: tuple[str, ...] = ()


def read_all(names: Iterable[str], *, recursive: bool) -> Iterator[Found]:
    """Yield every document of the named files and folders; `-` is standard input."""
    for name in names:
        if name == "-":
            yield from _documents("standard input", sys.stdin.buffer.read(BOUNDS.max_bytes + 1))
        else:
            yield from _named(Path(name), recursive=recursive)


def _named(path: Path, *, recursive: bool) -> Iterator[Found]:
    try:
        files = _files(path, recursive=recursive)
    except OSError as error:
        yield Found(Place(str(path)), error=f"can't be read: {error.strerror}")
        return
    if not files:
        hint = "" if recursive else "; -R looks into the folders in it"
        yield Found(Place(str(path)), error=f"holds no {', '.join(SUFFIXES)} file{hint}")
    if len(files) > FILES_MAX:
        many = f"holds {len(files)} files, more than the {FILES_MAX} that are read at once"
        yield Found(Place(str(path)), error=many)
        return
    for file in files:
        try:
            content = _content(file)
        except OSError as error:
            yield Found(Place(str(file)), error=f"can't be read: {error.strerror}")
        else:
            yield from _documents(str(file), content)


def _files(path: Path, *, recursive: bool) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = path.glob("**/*" if recursive else "*")
    return sorted(one for one in found if one.suffix in SUFFIXES and one.is_file())


def _content(file: Path) -> bytes:
    with file.open("rb") as opened:
        # One byte more than allowed tells the reader that there is more.
        return opened.read(BOUNDS.max_bytes + 1)


def _documents(file: str, data: bytes) -> Iterator[Found]:
    number = 0
    try:
        for document in _parse(data):
            number += 1
            yield from _expand(Place(file, number, document.line), document)
    except InvalidDocument as error:
        yield Found(Place(file, number + 1, error.line), error=error.reason)
    else:
        if number == 0:
            yield Found(Place(file), error="holds no document")


def _parse(data: bytes) -> Iterator[Document]:
    # As kubectl does: what begins like JSON and is none may still be YAML.
    if data.lstrip()[:1] == b"{":
        with contextlib.suppress(InvalidDocument):
            return iter(list(read_json(data, BOUNDS)))
    return read_yaml(data, BOUNDS)


def _expand(place: Place, document: Document) -> Iterator[Found]:
    value = document.value
    items = value.get("items") if isinstance(value, dict) and value.get("kind") == "List" else None
    for one in items if isinstance(items, list) else [value]:
        error = _unusable(one)
        yield Found(place, None if error else one, error, document.warnings)


def _unusable(value: Any) -> str:
    """Return why a document is no Application; empty if it is one, as far as can be told without the hub."""
    if not isinstance(value, dict):
        return "is no object: an application begins with apiVersion and kind"
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str):
        missing = "apiVersion" if not isinstance(api_version, str) else "kind"
        return (
            f"{missing}: is missing or no text: an application has apiVersion: {API_VERSION} and kind: {KIND}"
        )
    if (api_version, kind) != (API_VERSION, KIND):
        return f"kind: {kind} of {api_version} is not supported: only {KIND} of {API_VERSION} is"
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return "metadata.name: is missing or no text"
    return ""


def name_of(found: Found) -> str:
    """Return the application's name, as far as there is one."""
    return str(found.manifest["metadata"]["name"]) if found.manifest else ""
