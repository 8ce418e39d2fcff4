"""Options of an application that a repository changes: `.argocd-source.yaml` for all, `.argocd-source-NAME.yaml` for one.

As in Argo CD, they are merge patches (RFC 7396) of the source as a whole, of which only the tools' options count. What comes out is
checked like any other source.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from outrider.rendering.errors import RenderError
from outrider.spec.source import ApplicationSource, problems

OVERRIDES_MAX_BYTES = 256 * 1024
FOR_ALL = ".argocd-source.yaml"
_KEPT = ("repoURL", "path", "targetRevision", "chart", "ref", "name", "tagPrefix")
_DEPTH_MAX = 64


def for_one(app_name: str) -> str:
    """Return the name of the file that is for one application."""
    return f".argocd-source-{app_name}.yaml"


def concerning(files: Sequence[str], app_name: str) -> list[str]:
    """Return those of a folder's override files that count for an application, in their order; "" knows no application."""
    named = {path.rpartition("/")[2]: path for path in files}
    wanted = [FOR_ALL, *([for_one(app_name)] if app_name else [])]
    return [named[name] for name in wanted if name in named]


def are_for_single_applications(files: Sequence[str]) -> bool:
    """Tell whether one of them is for one application."""
    return any(path.rpartition("/")[2] != FOR_ALL for path in files)


def overridden(
    source: ApplicationSource, patches: Sequence[tuple[str, Mapping[str, Any]]]
) -> ApplicationSource:
    """Return the source with the content of files laid over it; RenderError names the file that can't be."""
    body: dict[str, Any] = source.model_dump(by_alias=True, mode="json", exclude_defaults=True)
    before = {key: body[key] for key in _KEPT if key in body}
    for file, patch in patches:
        body = _merged(body, patch, 0)
        kept = {key: value for key, value in body.items() if key not in _KEPT}
        try:
            source = ApplicationSource.model_validate({**kept, **before})
        except ValidationError as error:
            found = "; ".join(list(problems(error, "source"))[:5])
            raise RenderError("overrides", found, file=file) from None
    return source


def _merged(target: Any, patch: Any, depth: int) -> Any:
    if depth > _DEPTH_MAX or not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value, depth + 1)
    return merged
