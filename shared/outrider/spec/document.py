"""A manifest as a person gives it: bounded, its kind known, cleaned of what a cluster added, then checked as a whole.

All problems of a document are collected, not only the first. What is stored is the person's own text, cleaned; what decides
is the checked model.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from outrider import codec
from outrider.spec.application import Application
from outrider.spec.metadata import cleaned
from outrider.spec.problems import path, problems, shown

MANIFEST_MAX_BYTES = 256 << 10
# Of canonical msgpack. Kubernetes itself stores no object above 1.5 MB.
DEPTH_MAX = 64
NODES_MAX = 50_000
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1

API_VERSION = "argoproj.io/v1alpha1"
_NOT_YET = {
    "ApplicationSet": "ApplicationSet is not supported yet: apply the Applications that it would generate",
    "AppProject": "AppProject is not supported yet: every application is in project 'default'",
}


class InvalidManifest(ValueError):
    """A manifest that can't be taken; `problems` has one sentence for each thing that is wrong."""

    def __init__(self, what: str, found: list[str]) -> None:
        self.what, self.problems = what, found
        super().__init__(f"{what}: {'; '.join(found)}")


@dataclass(frozen=True)
class Document:
    """A checked Application, the text that it came from, and what its author should know."""

    application: Application
    manifest: dict[str, Any]
    warnings: list[str]


def parse(manifest: object) -> Document:
    """Check a manifest; InvalidManifest with every problem."""
    if not isinstance(manifest, dict):
        raise InvalidManifest("manifest", [f"must be a map, not {shown(manifest)}"])
    what = _name(manifest)
    _check_kind(what, manifest)
    _check_bounds(what, manifest)
    kept = {key: value for key, value in manifest.items() if key != "status" and value is not None}
    warnings: list[str] = []
    if isinstance(kept.get("metadata"), dict):
        kept["metadata"], warnings = cleaned(kept["metadata"])
    if len(codec.canonical(kept)) > MANIFEST_MAX_BYTES:
        raise InvalidManifest(what, [f"is larger than {MANIFEST_MAX_BYTES >> 10} KiB"])
    try:
        application = Application.model_validate(kept)
    except ValidationError as error:
        raise InvalidManifest(what, list(problems(error, Application))) from error
    return Document(application, kept, warnings)


def _name(manifest: dict[Any, Any]) -> str:
    """Return what to call a manifest in messages, whatever is wrong with it."""
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    kind = manifest.get("kind")
    shown_kind = kind if isinstance(kind, str) and kind else "manifest"
    return f"{shown_kind} {name}"[:200] if isinstance(name, str) else f"{shown_kind} without a name"


def _check_kind(what: str, manifest: dict[Any, Any]) -> None:
    version, kind = manifest.get("apiVersion"), manifest.get("kind")
    missing = [f"{field}: is required" for field in ("apiVersion", "kind") if not manifest.get(field)]
    if missing:
        raise InvalidManifest(what, missing)
    if version == API_VERSION and kind == "Application":
        return
    if version == API_VERSION and kind in _NOT_YET:
        raise InvalidManifest(what, [f"kind: {_NOT_YET[kind]}"])
    if kind == "Application" and str(version).startswith("argoproj.io/"):
        raise InvalidManifest(what, [f"apiVersion: {shown(version)} is not supported; use {API_VERSION}"])
    advice = f"give an Application of {API_VERSION}, and put what it deploys into its source"
    found = f"kind: {shown(kind)} of apiVersion {shown(version)} is nothing that the hub takes; {advice}"
    raise InvalidManifest(what, [found])


def _check_bounds(what: str, manifest: dict[Any, Any]) -> None:
    """Refuse what is no JSON, or too deep or large to look at further. Without recursion: the depth is a stranger's."""
    nodes = 0
    waiting: list[tuple[object, tuple[int | str, ...]]] = [(manifest, ())]
    while waiting:
        value, location = waiting.pop()
        nodes += 1
        if nodes > NODES_MAX:
            raise InvalidManifest(what, [f"holds more than {NODES_MAX} values"])
        if len(location) > DEPTH_MAX:
            raise InvalidManifest(what, [f"{path(location[:4])}…: is nested deeper than {DEPTH_MAX} levels"])
        if isinstance(value, dict):
            for key, item in value.items():
                if not isinstance(key, str):
                    raise InvalidManifest(what, [f"{path(location)}: the key {shown(key)} must be a text"])
                waiting.append((item, (*location, key)))
        elif isinstance(value, list):
            waiting += [(item, (*location, index)) for index, item in enumerate(value)]
        elif problem := _scalar_problem(value):
            raise InvalidManifest(what, [f"{path(location)}: {problem}"])


def _scalar_problem(value: object) -> str:
    if isinstance(value, int) and not _INT_MIN <= value <= _INT_MAX:
        return "is a whole number beyond 64 bits"
    if value is None or isinstance(value, bool | int | float | str):
        return ""
    return f"must be a JSON value, not {shown(value)}; a date or binary value goes in quotes"
