"""Evaluate Jsonnet with go-jsonnet: a manifest, a list of manifests, or an object of manifests for each file.

Its own importer reads any file of the machine; ours reads what lies in the exported source, and nothing else. Endless recursion
ends at the interpreter's stack, endless output with this process's memory.
"""

import contextlib
import ctypes
import importlib.util
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from outrider.rendering.errors import RenderError
from outrider.rendering.kubeyaml import InvalidDocument, read_json
from outrider.rendering.worker.job import Job
from outrider.rendering.worker.manifests import manifests_of

STAGE = "jsonnet"
LIBRARY = importlib.util.find_spec("_gojsonnet")
# Found while files outside can still be listed.
_NEEDED = ("libm.so.6", "libgcc_s.so.1", "libstdc++.so.6")
_STACK_MAX = 500
# Frames; what go-jsonnet's own command takes.
_TRACE_MAX = 5
_COMPLAINT_MAX_CHARS = 1500


def manifests(job: Job, path: Path) -> Iterator[dict[str, Any]]:
    """Yield the manifests that a file evaluates to; RenderError says what is wrong in it."""
    options = job.options.get("jsonnet", {})
    file = job.shown(path)
    size_bytes = path.stat().st_size
    if size_bytes > job.bounds.max_bytes:
        raise RenderError(
            STAGE, f"has {size_bytes} bytes, more than the {job.bounds.max_bytes} allowed", file=file
        )
    try:
        text = _evaluate(job, path, options)
        documents = list(read_json(text.encode(), job.bounds))
    except InvalidDocument as error:
        raise RenderError(STAGE, f"evaluates to what can't be read: {error.reason}", file=file) from None
    for document in documents:
        for value in _values(document.value):
            yield from manifests_of(value, STAGE, file, None)


def _values(value: Any) -> list[Any]:
    """Return what counts as manifests: an object without a kind whose fields are all objects stands for those."""
    if isinstance(value, list):
        return [item for item in value if item is not None]
    if isinstance(value, dict) and value and not {"kind", "apiVersion"} & value.keys():
        parts = list(value.values())
        if all(isinstance(part, dict) for part in parts):
            return parts
    return [value]


def _evaluate(job: Job, path: Path, options: dict[str, Any]) -> str:
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        raise RenderError(STAGE, "is not UTF-8", file=job.shown(path)) from None
    importer = _Importer(job, options.get("libs", []))
    try:
        evaluated: str = _library().evaluate_snippet(
            str(path),
            text,
            max_stack=_STACK_MAX,
            max_trace=_TRACE_MAX,
            import_callback=importer.read,
            **_variables("ext", options.get("ext_vars", [])),
            **_variables("tla", options.get("tlas", [])),
        )
    except (RuntimeError, UnicodeDecodeError) as error:
        # The library's own text for a failed import has bytes at its end that are none of it.
        raise _explained(job, path, importer.refused or str(error)) from None
    return evaluated


def preload() -> None:
    """Load the system libraries that go-jsonnet needs, while their files can be seen. They start nothing."""
    for name in _NEEDED:
        with contextlib.suppress(OSError):
            ctypes.CDLL(name)


@cache
def _library() -> Any:
    """Load go-jsonnet, at the first file that needs it: it brings a runtime of its own."""
    if LIBRARY is None or LIBRARY.loader is None:
        raise RenderError(STAGE, "can't be evaluated here: the renderer lacks gojsonnet")
    module = importlib.util.module_from_spec(LIBRARY)
    LIBRARY.loader.exec_module(module)
    return module


def _variables(prefix: str, given: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    return {
        f"{prefix}_vars": {item["name"]: item["value"] for item in given if not item.get("code")},
        f"{prefix}_codes": {item["name"]: item["value"] for item in given if item.get("code")},
    }


class _Importer:
    """Reads what is imported, beside the importing file or in a library. `refused` says what could not be."""

    def __init__(self, job: Job, libraries: list[str]) -> None:
        self._job = job
        self._places = [*(job.root / library for library in reversed(libraries)), job.folder]
        self.refused = ""

    def read(self, folder: str, name: str) -> tuple[str, bytes]:
        """Return where an import was found, and what is there."""
        shown = repr(name[:200])
        if name.startswith("/") or "\0" in name:
            raise self._error(f"{shown} is no path inside the repository")
        root, bounds = self._job.root, self._job.bounds
        for place in (Path(folder), *self._places):
            target = Path(os.path.normpath(place / name))
            if target.is_relative_to(root) and target.resolve().is_relative_to(root) and target.is_file():
                if target.stat().st_size > bounds.max_bytes:
                    raise self._error(f"{shown} has more than the {bounds.max_bytes} bytes allowed")
                return str(target), target.read_bytes()
        raise self._error(f"{shown} does not exist in the repository")

    def _error(self, reason: str) -> ValueError:
        self.refused = self.refused or f"import {reason}"
        return ValueError(reason)


def _explained(job: Job, path: Path, text: str) -> RenderError:
    """Return the interpreter's complaint, with paths as they are in the repository."""
    reason = text.replace(f"{job.root}/", "").replace(str(job.root), ".").strip()
    reason = reason.replace("RUNTIME ERROR: ", "")
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    return RenderError(
        STAGE, "; ".join(lines)[:_COMPLAINT_MAX_CHARS] or "can't be evaluated", file=job.shown(path)
    )
