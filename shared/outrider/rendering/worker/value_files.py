"""Which files the values of a release come from: by path, by pattern, from the source itself or from another one.

As in Argo CD: a path is relative to the chart, with a leading slash to the repository's root; `$ref/…` is relative to the root of
the source with that ref. A file that is also listed by name counts where it is named, not where a pattern finds it; a file counts
once, where it comes first.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from outrider.rendering.doublestar import InvalidPattern, compile_pattern, fixed_folder, is_pattern
from outrider.rendering.errors import RenderError
from outrider.rendering.worker.job import Job

STAGE = "helm"
_FIELD = "spec.source.helm.valueFiles"


def value_files(job: Job, names: list[str], may_be_missing: bool) -> list[Path]:
    """Return the value files in the order in which they override one another; RenderError names one that is missing."""
    named = {path for name in names if not is_pattern(name) and (path := find(job, name)) is not None}
    found: dict[Path, None] = {}
    for index, name in enumerate(names):
        paths = [path for path in _matches(job, name, index) if path not in named] if is_pattern(name) else []
        if not is_pattern(name) and (path := find(job, name)) is not None:
            paths = [path]
        elif not paths and not may_be_missing and not (is_pattern(name) and any(_matches(job, name, index))):
            what = "matches no file of" if is_pattern(name) else "does not exist in"
            raise RenderError(STAGE, f"{name!r} {what} {_place(name)}", field=f"{_FIELD}[{index}]")
        found |= dict.fromkeys(paths)
    return list(found)


def find(job: Job, name: str) -> Path | None:
    """Return the file that a name stands for, if there is one inside its repository."""
    root, path = _located(job, name)
    target = (root / path).resolve()
    return target if target.is_relative_to(root) and target.is_file() else None


def _located(job: Job, name: str) -> tuple[Path, str]:
    """Return the root that a name is looked for in, and its path from there."""
    if name.startswith("$"):
        ref, _, path = name[1:].partition("/")
        return job.references / ref, path.lstrip("/")
    if name.startswith("/"):
        return job.root, name.lstrip("/")
    return job.root, name if job.path == "." else f"{job.path}/{name}"


def _place(name: str) -> str:
    return f"source {name[1:].partition('/')[0]!r}" if name.startswith("$") else "the repository"


def _matches(job: Job, name: str, index: int) -> Iterator[Path]:
    root, path = _located(job, name)
    path = os.path.normpath(path)
    if path.startswith(".."):
        return
    try:
        pattern = compile_pattern(path)
    except InvalidPattern as error:
        raise RenderError(STAGE, f"{name!r} {error}", field=f"{_FIELD}[{index}]") from None
    below = (Path(folder, file) for folder, _, files in os.walk(root / fixed_folder(path)) for file in files)
    yield from sorted(found for found in below if pattern.fullmatch(found.relative_to(root).as_posix()))
