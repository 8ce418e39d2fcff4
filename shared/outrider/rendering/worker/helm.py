"""Render a chart with Helm's own engine, in this process.

Nothing is fetched here: declared dependencies are looked for first, since a chart without them renders to less, or to nothing,
without an error, and those that are missing are named to whoever can fetch them. `lookup` finds nothing; NOTES.txt is left out; hooks stay as they are, with their
annotations.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import helm_python
from helm_python import _native

from outrider.rendering.errors import ChartsMissing, MissingChart, RenderError
from outrider.rendering.kubeyaml import InvalidDocument, read_json, read_yaml
from outrider.rendering.worker.helm_values import release_values
from outrider.rendering.worker.job import Job, Outcome
from outrider.rendering.worker.manifests import manifests_of

STAGE = "helm"
CHART_FILE = "Chart.yaml"
_COMPLAINT_MAX_CHARS = 1500
_WHERE = re.compile(r"(?:template: |\()?(?P<file>[\w./-]+/templates/[\w./-]+):(?P<line>\d+)")


def render(job: Job) -> Outcome:
    """Return the manifests of the chart: custom resource definitions, then templates in the order of their names."""
    if not (job.folder / CHART_FILE).is_file():
        raise RenderError(
            STAGE, "does not exist: the path holds no Helm chart", file=_join(job.path, CHART_FILE)
        )
    _check_schemas(job)
    values = release_values(job)
    try:
        with helm_python.Chart.load(job.folder) as chart:
            _check_dependencies(job, chart)
            templates = _rendered(job, chart, values)
            crds = [] if job.options.get("skip_crds") else chart.crds
    except helm_python.HelmError as error:
        raise _explained(job, str(error)) from None
    outcome = Outcome()
    for crd in crds:
        outcome.manifests += _manifests(job, crd["filename"], [f"{crd['data']}\n"])
    for name in sorted(templates):
        if name.rpartition("/")[2] != "NOTES.txt":
            outcome.manifests += _wanted(job, _manifests(job, name, _documents(templates[name])))
    return outcome


def _check_dependencies(job: Job, chart: helm_python.Chart) -> None:
    present = {item.get("name") for item in chart.dependencies}
    declared = [item for item in chart.metadata.get("dependencies") or [] if item.get("name") not in present]
    if declared:
        locked = _locked(job)
        missing = {item["name"]: _missing(job, item, locked) for item in declared}
        raise ChartsMissing(list(missing.values()), file=_join(job.path, CHART_FILE))


def _missing(job: Job, declared: dict[str, Any], locked: dict[tuple[str, str], str]) -> MissingChart:
    name, repository = str(declared.get("name") or ""), str(declared.get("repository") or "")
    version = locked.get((name, repository), str(declared.get("version") or ""))
    scheme = repository.partition("://")[0]
    if scheme in {"https", "http", "oci"}:
        return MissingChart(name, version, repository)
    reason = f"chart {name!r} is not in charts/, and "
    if scheme == "file":
        reason += f"{repository} is no chart of this repository"
    elif repository.startswith(("@", "alias:")):
        reason += f"{repository!r} is a name on somebody's machine: write the repository's URL"
    else:
        reason += "no repository is named to fetch it from"
    raise RenderError(STAGE, reason, file=_join(job.path, CHART_FILE), field="dependencies")


def _locked(job: Job) -> dict[tuple[str, str], str]:
    """Return the versions that the chart was last built with."""
    for name in ("Chart.lock", "requirements.lock"):
        path = job.folder / name
        if not path.is_file():
            continue
        try:
            documents = [document.value for document in read_yaml(path.read_bytes(), job.bounds)]
        except InvalidDocument as error:
            raise RenderError(STAGE, error.reason, file=job.shown(path), line=error.line) from None
        listed = documents[0].get("dependencies") if documents and isinstance(documents[0], dict) else None
        return {
            (str(item.get("name")), str(item.get("repository") or "")): str(item.get("version") or "")
            for item in (listed if isinstance(listed, list) else [])
            if isinstance(item, dict)
        }
    return {}


def _rendered(job: Job, chart: helm_python.Chart, values: dict[str, Any]) -> dict[str, str]:
    # The SDK's own `render` passes on neither the cluster's version nor its APIs, which its library takes.
    options: dict[str, Any] = {
        "name": job.release["name"],
        "namespace": job.release["namespace"],
        "kube_version": job.release["kube_version"],
    }
    if job.options.get("api_versions"):
        options["api_versions"] = job.options["api_versions"]
    rendered = _native.call_string("helm_render", chart._raw(), json.dumps(values), json.dumps(options))
    templates: dict[str, str] = json.loads(rendered)
    return templates


def _documents(text: str) -> Iterator[str]:
    """Yield the documents of a rendered file as Helm prints them: without space around them, and with a line end.

    It decides whether a text block that ends a file ends with a line end itself.
    """
    for document in f"\n{text.strip()}".split("\n---"):
        if stripped := document.strip():
            yield f"{stripped}\n"


def _manifests(job: Job, name: str, documents: Iterable[str]) -> Iterator[dict[str, Any]]:
    file = _in_repository(job, name)
    try:
        for text in documents:
            for document in read_yaml(text.encode(), job.bounds):
                yield from manifests_of(document.value, STAGE, file, None)
    except InvalidDocument as error:
        raise RenderError(STAGE, f"renders to what is no YAML: {error}", file=file) from None


def _wanted(job: Job, manifests: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    skip_tests = job.options.get("skip_tests", False)
    for manifest in manifests:
        annotations = manifest["metadata"].get("annotations") or {}
        hooks = {hook.strip() for hook in annotations.get("helm.sh/hook", "").split(",")}
        if not (skip_tests and hooks & {"test", "test-success", "test-failure"}):
            yield manifest


def _check_schemas(job: Job) -> None:
    """Refuse a schema that refers to another file or address, which Helm would open."""
    for path in sorted(job.folder.rglob("values.schema.json")):
        try:
            documents = list(read_json(path.read_bytes(), job.bounds))
        except InvalidDocument as error:
            raise RenderError(STAGE, error.reason, file=job.shown(path), line=error.line) from None
        for document in documents:
            for reference in _references(document.value):
                if not reference.startswith("#"):
                    reason = f"refers to {reference[:200]!r}, which is not in the schema itself; that is not supported"
                    raise RenderError(STAGE, reason, file=job.shown(path), field="$ref")


def _references(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += item.values()
            if isinstance(item.get("$ref"), str):
                yield item["$ref"]
        elif isinstance(item, list):
            waiting += item


def _in_repository(job: Job, name: str) -> str:
    """Return the path of a template, which Helm names by its chart: `mychart/templates/a.yaml`."""
    return _join(job.path, name.partition("/")[2] or name)


def _join(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"


def _shortened(text: str) -> str:
    """Leave out the middle of a long text: where it began and what went wrong stand at its ends."""
    half = _COMPLAINT_MAX_CHARS // 2
    return text if len(text) <= _COMPLAINT_MAX_CHARS else f"{text[:half]} … {text[-half:]}"


def _explained(job: Job, text: str) -> RenderError:
    """Return Helm's complaint with the template and its line, where it names one."""
    reason = _shortened(text.replace(f"{job.root}/", "").replace(str(job.root), ".").strip())
    where = _WHERE.search(reason)
    if where is None:
        return RenderError(STAGE, reason, file=_join(job.path, CHART_FILE))
    return RenderError(STAGE, reason, file=_in_repository(job, where["file"]), line=int(where["line"]))
