"""Read a kustomization and everything that it is made of, and refuse what is not a file of this repository.

Kustomize takes `resources: [https://…]` or `git@…` as gladly as a file, and asks the network (or a program called git) for it. So
every reference in every kustomization that can be reached is looked at first: it must name a file or folder that is there. What
would run programs, or inflate charts, is refused by name.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from outrider.rendering.errors import RenderError
from outrider.rendering.kubeyaml import InvalidDocument, read_yaml
from outrider.rendering.worker.job import Job

STAGE = "kustomize"
FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_FOLDERS_MAX = 1000
_NO_CHARTS = "inflates a chart, for which kustomize would start a program and ask the network: give the chart as a source of its own"
_REFUSED = {
    "helmCharts": _NO_CHARTS,
    "helmChartInflationGenerator": _NO_CHARTS,
    "helmGlobals": _NO_CHARTS,
}
_FOLDERS_OR_FILES = ("resources", "bases", "components")
_FILES = ("crds", "configurations")
_PLUGINS = ("generators", "transformers", "validators")
_WITH_PATH = ("patches", "patchesJson6902", "replacements")
_FUNCTION_ANNOTATIONS = ("config.kubernetes.io/function", "config.k8s.io/function")
_REMOTE = re.compile(r"(?i):|^github\.com/|^git@|^gh$|\?")
# No path of a repository needs a colon or a question mark, and every form of a remote reference but one has one of them.


def load(job: Job, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Return the kustomization of a folder: its file and what it says."""
    found = [folder / name for name in FILE_NAMES if (folder / name).is_file()]
    if not found:
        raise RenderError(STAGE, f"holds none of {', '.join(FILE_NAMES)}", file=job.shown(folder))
    if len(found) > 1:
        raise RenderError(STAGE, "holds several kustomization files", file=job.shown(folder))
    return found[0], _mapping(job, found[0])


def _documents(job: Job, path: Path) -> list[Any]:
    try:
        return [document.value for document in read_yaml(path.read_bytes(), job.bounds)]
    except InvalidDocument as error:
        raise RenderError(STAGE, error.reason, file=job.shown(path), line=error.line) from None


def _mapping(job: Job, path: Path) -> dict[str, Any]:
    documents = _documents(job, path)
    if not documents:
        return {}
    if len(documents) > 1 or not isinstance(documents[0], dict):
        raise RenderError(STAGE, "is no single mapping", file=job.shown(path))
    return documents[0]


def check(job: Job) -> None:
    """Look at every kustomization that can be reached; RenderError names the file and the field of the first that is refused."""
    waiting = [job.folder]
    seen: set[Path] = set()
    while waiting:
        folder = waiting.pop()
        if folder in seen:
            continue
        seen.add(folder)
        if len(seen) > _FOLDERS_MAX:
            raise RenderError(
                STAGE, f"is made of more than {_FOLDERS_MAX} folders", file=job.shown(job.folder)
            )
        path, content = load(job, folder)
        waiting += _Kustomization(job, path, content).folders()


class _Kustomization:
    def __init__(self, job: Job, path: Path, content: dict[str, Any]) -> None:
        self._job, self._path, self._content = job, path, content

    def folders(self) -> Iterator[Path]:
        """Yield the folders that this one is made of, all references having been looked at."""
        for field, reason in _REFUSED.items():
            if self._content.get(field):
                raise self._error(field, reason)
        for field in _FOLDERS_OR_FILES:
            yield from self._each(field, self._items(field))
        for field in _FILES:
            self._files(field, self._items(field))
        for field in _PLUGINS:
            yield from self._plugins(field)
        for field in _WITH_PATH:
            for index, item in enumerate(self._items(field)):
                self._optional_path(f"{field}[{index}].path", item)
        self._merges()
        self._generated()
        self._optional_path("openapi.path", self._content.get("openapi"))

    def _items(self, field: str) -> list[Any]:
        value = self._content.get(field)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._error(field, "is no list")
        return value

    def _each(self, field: str, references: list[Any]) -> Iterator[Path]:
        for index, reference in enumerate(references):
            target = self._local(f"{field}[{index}]", reference)
            if target.is_dir():
                yield target

    def _files(self, field: str, references: Any) -> None:
        for index, reference in enumerate(references if isinstance(references, list) else []):
            self._local(f"{field}[{index}]", reference)

    def _plugins(self, field: str) -> Iterator[Path]:
        for index, reference in enumerate(self._items(field)):
            where = f"{field}[{index}]"
            if isinstance(reference, str) and "\n" in reference:
                self._check_plugin(where, self._inline(where, reference))
                continue
            target = self._local(where, reference)
            if target.is_dir():
                yield target
            else:
                self._check_plugin(where, _documents(self._job, target))

    def _inline(self, field: str, text: str) -> list[Any]:
        try:
            return [document.value for document in read_yaml(text.encode(), self._job.bounds)]
        except InvalidDocument as error:
            raise self._error(field, error.reason) from None

    def _check_plugin(self, field: str, documents: list[Any]) -> None:
        for document in documents:
            if not isinstance(document, dict) or document.get("apiVersion") != "builtin":
                raise self._error(
                    field, "runs a plugin that is not built into kustomize, which is not supported"
                )
            if "Helm" in str(document.get("kind")) or "Chart" in str(document.get("kind")):
                raise self._error(field, _NO_CHARTS)
            metadata = document.get("metadata")
            annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
            if isinstance(annotations, dict) and any(name in annotations for name in _FUNCTION_ANNOTATIONS):
                raise self._error(field, "runs a function in a container or program, which is not supported")

    def _merges(self) -> None:
        for index, item in enumerate(self._items("patchesStrategicMerge")):
            # A patch may stand here itself, which is text of several lines.
            if not (isinstance(item, str) and "\n" in item):
                self._local(f"patchesStrategicMerge[{index}]", item)

    def _generated(self) -> None:
        for field in ("configMapGenerator", "secretGenerator"):
            for index, item in enumerate(self._items(field)):
                if not isinstance(item, dict):
                    raise self._error(f"{field}[{index}]", "is no mapping")
                files = [str(file).rpartition("=")[2] for file in item.get("files") or []]
                self._files(f"{field}[{index}].files", files)
                self._files(f"{field}[{index}].envs", item.get("envs"))
                if item.get("env"):
                    self._local(f"{field}[{index}].env", item["env"])

    def _optional_path(self, field: str, item: Any) -> None:
        if isinstance(item, dict) and item.get("path"):
            self._local(field, item["path"])

    def _local(self, field: str, reference: Any) -> Path:
        """Return the file or folder that a reference names; RenderError if it names none of this source's."""
        if not isinstance(reference, str) or not reference:
            raise self._error(field, "is no path")
        shown = repr(reference[:200])
        if _REMOTE.search(reference) or "\0" in reference:
            raise self._error(
                field,
                f"{shown} is not in this repository: what it holds belongs to no revision of it; commit a copy, or give it as a source of its own",
            )
        if reference.startswith("/"):
            raise self._error(field, f"{shown} is an absolute path")
        target = (self._path.parent / reference).resolve()
        if not target.is_relative_to(self._job.root):
            raise self._error(field, f"{shown} leaves the repository")
        if not target.exists():
            raise self._error(field, f"{shown} does not exist in the repository")
        return target

    def _error(self, field: str, reason: str) -> RenderError:
        return RenderError(STAGE, reason, file=self._job.shown(self._path), field=field)
