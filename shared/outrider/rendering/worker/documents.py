"""Read files of strangers for the processes outside: overrides of an application's options, and indexes of chart repositories.

Whoever needs what they say gets plain values, bounded; the parsing itself may end this process without harm.
"""

from typing import Any

from outrider.rendering.errors import RenderError
from outrider.rendering.kubeyaml import InvalidDocument, read_yaml
from outrider.rendering.worker.job import Job, Outcome

_VERSIONS_MAX = 20_000
# Of one chart.
_TEXT_MAX_CHARS = 2048


def read(job: Job) -> Outcome:
    """Return the one mapping of a YAML file, at the job's path, as the only item."""
    path = job.folder
    stage = job.options["stage"]
    try:
        values = [document.value for document in read_yaml(path.read_bytes(), job.bounds)]
    except InvalidDocument as error:
        raise RenderError(stage, error.reason, file=job.shown(path), line=error.line) from None
    if len(values) > 1 or not all(isinstance(value, dict) for value in values):
        raise RenderError(stage, "is no single mapping", file=job.shown(path))
    return Outcome(values or [{}])


def read_index(job: Job) -> Outcome:
    """Return the versions of each wanted chart in a repository's index, as one item: chart -> [[version, URL, digest]]."""
    charts = set(job.options["charts"])
    (index,) = read(job).manifests
    entries = index.get("entries")
    if not isinstance(entries, dict):
        raise RenderError("charts", "is no index of charts: it has no entries", file=job.path)
    found = {chart: _versions(entries.get(chart)) for chart in charts if isinstance(entries.get(chart), list)}
    return Outcome([found])


def _versions(entries: Any) -> list[list[str]]:
    found: list[list[str]] = []
    for entry in entries[:_VERSIONS_MAX]:
        if not isinstance(entry, dict):
            continue
        urls = entry.get("urls")
        url = urls[0] if isinstance(urls, list) and urls else ""
        texts = [entry.get("version"), url, entry.get("digest") or ""]
        if all(isinstance(text, str) and len(text) <= _TEXT_MAX_CHARS for text in texts):
            found.append([str(text) for text in texts])
    return found
