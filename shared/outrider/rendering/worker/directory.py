"""Render a folder of manifests: YAML, JSON and Jsonnet files in the order of their names, as Argo CD reads them.

A file that can't be read as manifests is an error if it looks like one (it holds the words apiVersion:, kind: and metadata:);
otherwise it is a file that has nothing to do with Kubernetes, and is left out with a warning. One that exceeds a limit is an error
whatever it looks like.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from outrider.rendering.errors import RenderError
from outrider.rendering.kubeyaml import InvalidDocument, LimitExceeded, read_json, read_yaml
from outrider.rendering.worker import jsonnet
from outrider.rendering.worker.globs import InvalidPattern, compile_pattern
from outrider.rendering.worker.job import Job, Outcome
from outrider.rendering.worker.manifests import manifests_of

STAGE = "directory"
_MANIFEST_FILE = re.compile(r".*\.(yaml|yml|json|jsonnet)", re.DOTALL)
_SKIP_MARK = b"+argocd:skip-file-rendering"
_SIGNS = (b"apiVersion:", b"kind:", b"metadata:")


def render(job: Job) -> Outcome:
    """Return the manifests of every file that counts."""
    outcome = Outcome()
    include = _pattern(job.options.get("include", ""), "directory.include")
    exclude = _pattern(job.options.get("exclude", ""), "directory.exclude")
    every_name = job.options.get("disable_extension_filter", False)
    for path in _files(job.folder, job.options.get("recurse", False)):
        relative = path.relative_to(job.folder).as_posix()
        if not every_name and not _MANIFEST_FILE.fullmatch(path.name):
            continue
        if (exclude and exclude.fullmatch(relative)) or (include and not include.fullmatch(relative)):
            continue
        _read(job, path, outcome)
    return outcome


def _pattern(text: str, field: str) -> re.Pattern[str] | None:
    try:
        return compile_pattern(text) if text else None
    except (InvalidPattern, re.error) as error:
        raise RenderError(STAGE, f"the pattern {text!r} {error}", field=field) from None


def _files(folder: Path, recurse: bool) -> Iterator[Path]:
    """Yield the files in the order of their names, a folder's files where the folder's name stands."""
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
    for entry in entries:
        if entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
        elif recurse and entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path), recurse)


def _read(job: Job, path: Path, outcome: Outcome) -> None:
    file = job.shown(path)
    size_bytes = path.stat().st_size
    if size_bytes > job.bounds.max_bytes:
        raise RenderError(
            STAGE, f"has {size_bytes} bytes, more than the {job.bounds.max_bytes} allowed", file=file
        )
    data = path.read_bytes()
    if _SKIP_MARK in data:
        return
    if path.suffix == ".jsonnet":
        outcome.manifests += jsonnet.manifests(job, path)
        return
    found: list[dict[str, Any]] = []
    warnings: list[str] = []
    try:
        read = read_json if path.suffix == ".json" else read_yaml
        for document in read(data, job.bounds):
            warnings += [f"{file}: {warning}" for warning in document.warnings]
            found += manifests_of(document.value, STAGE, file, document.line)
    except LimitExceeded as error:
        raise RenderError(STAGE, error.reason, file=file, line=error.line) from None
    except InvalidDocument as error:
        problem = RenderError(STAGE, error.reason, file=file, line=error.line)
    except RenderError as error:
        problem = error
    else:
        outcome.manifests += found
        outcome.warnings += warnings
        return
    if found or path.suffix == ".json" or all(sign in data for sign in _SIGNS):
        raise problem
    outcome.warnings.append(f"{problem}; left out, since it does not look like a manifest")
