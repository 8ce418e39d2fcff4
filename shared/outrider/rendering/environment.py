"""Argo CD's build environment: `$ARGOCD_APP_NAME` and its like, put into some of a source's options.

Which options: value files and parameters of Helm, images, labels and (where asked for) annotations of kustomize, variables and
arguments of Jsonnet. How: as Go's `os.Expand` does; `$$` is a dollar sign, a variable that is not known is empty.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from outrider.spec.references import VARIABLES, referred_source
from outrider.spec.source import ApplicationSource
from outrider.spec.tools import HelmParameter, HelmSource, JsonnetVariable, KustomizeSource

_REFERENCE = re.compile(
    r"\$(?:\{(?P<special>[*#$@!?0-9-])\}|\{(?P<braced>[^}]+)\}|(?P<empty>\{\}|\{(?=[^}]*$))|(?P<one>[*#$@!?0-9-])|(?P<name>\w+))",
    re.ASCII,
)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Return the text with every reference replaced; what is no reference (a `$` at the end, say) stays."""
    return _REFERENCE.sub(lambda match: _value(match, variables), text) if "$" in text else text


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    name = match["braced"] or match["name"]
    if name is not None:
        return variables.get(name, "")
    return "$" if "$" in (match["one"], match["special"]) else ""


def names(text: str) -> Iterator[str]:
    """Yield the variables that a text refers to, known or not."""
    for match in _REFERENCE.finditer(text):
        name = match["braced"] or match["name"]
        if name is not None:
            yield name


def texts(source: ApplicationSource) -> Iterator[str]:
    """Yield every option of a source that references are replaced in."""
    if source.helm:
        yield from source.helm.files
        for parameter in source.helm.parameters:
            yield parameter.value
    if source.kustomize:
        yield from source.kustomize.images
        yield from source.kustomize.common_labels.values()
        if source.kustomize.common_annotations_envsubst:
            yield from source.kustomize.common_annotations.values()
    if source.directory:
        for variable in (*source.directory.jsonnet.ext_vars, *source.directory.jsonnet.tlas):
            yield variable.value


def referred(source: ApplicationSource) -> frozenset[str]:
    """Return the known variables that a source's options refer to."""
    return frozenset(name for text in texts(source) if "$" in text for name in names(text)) & VARIABLES


def variables(source: ApplicationSource, revision: str, application: Mapping[str, str]) -> dict[str, str]:
    """Return the build environment of a source at a revision; `application` holds what is known of the application."""
    return {
        **application,
        "ARGOCD_APP_REVISION": revision,
        "ARGOCD_APP_REVISION_SHORT": revision[:7],
        "ARGOCD_APP_REVISION_SHORT_8": revision[:8],
        "ARGOCD_APP_SOURCE_PATH": source.path,
        "ARGOCD_APP_SOURCE_REPO_URL": source.repo_url,
        "ARGOCD_APP_SOURCE_TARGET_REVISION": source.target_revision,
    }


def expanded(source: ApplicationSource, known: Mapping[str, str]) -> ApplicationSource:
    """Return the source with every reference replaced; the source itself if it holds none."""
    if not any("$" in text for text in texts(source)):
        return source
    changed: dict[str, object] = {}
    if source.helm:
        changed["helm"] = _helm(source.helm, known)
    if source.kustomize:
        changed["kustomize"] = _kustomize(source.kustomize, known)
    if source.directory:
        jsonnet = source.directory.jsonnet
        filled = {"ext_vars": _filled(jsonnet.ext_vars, known), "tlas": _filled(jsonnet.tlas, known)}
        changed["directory"] = source.directory.model_copy(
            update={"jsonnet": jsonnet.model_copy(update=filled)}
        )
    return source.model_copy(update=changed)


def _helm(helm: HelmSource, known: Mapping[str, str]) -> HelmSource:
    return helm.model_copy(
        update={
            "value_files": [_file(file, known) for file in helm.value_files],
            "parameters": _filled(helm.parameters, known),
            "file_parameters": [
                one.model_copy(update={"path": _file(one.path, known)}) for one in helm.file_parameters
            ],
        }
    )


def _file(file: str, known: Mapping[str, str]) -> str:
    """Return the path of a value file; where another source's root stands at its beginning, that stays."""
    found = referred_source(file)
    return expand(file, known) if found is None else f"${found[0]}/{expand(found[1], known)}"


def _kustomize(options: KustomizeSource, known: Mapping[str, str]) -> KustomizeSource:
    annotations = options.common_annotations
    if options.common_annotations_envsubst:
        annotations = {key: expand(text, known) for key, text in annotations.items()}
    return options.model_copy(
        update={
            "images": [expand(image, known) for image in options.images],
            "common_labels": {key: expand(text, known) for key, text in options.common_labels.items()},
            "common_annotations": annotations,
        }
    )


V = TypeVar("V", HelmParameter, JsonnetVariable)


def _filled(items: Sequence[V], known: Mapping[str, str]) -> list[V]:
    return [item.model_copy(update={"value": expand(item.value, known)}) for item in items]
