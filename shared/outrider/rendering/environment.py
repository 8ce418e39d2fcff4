"""Argo CD's build environment: `$ARGOCD_APP_NAME` and its like, put into some of a source's options.

Which options: value files and parameters of Helm, images, labels and (where asked for) annotations of kustomize, variables and
arguments of Jsonnet. How: as Go's `os.Expand` does; `$$` is a dollar sign, a variable that is not known is empty.
"""

import re
from collections.abc import Iterator, Mapping

from outrider.spec.source import ApplicationSource

APPLICATION = frozenset({"ARGOCD_APP_NAME", "ARGOCD_APP_NAMESPACE", "ARGOCD_APP_PROJECT_NAME"})
# Differ between applications that have the same source.
REVISION = frozenset({"ARGOCD_APP_REVISION", "ARGOCD_APP_REVISION_SHORT", "ARGOCD_APP_REVISION_SHORT_8"})
# Differ with each commit, whether it changes what the source reads or not.
SOURCE = frozenset(
    {"ARGOCD_APP_SOURCE_PATH", "ARGOCD_APP_SOURCE_REPO_URL", "ARGOCD_APP_SOURCE_TARGET_REVISION"}
)
VARIABLES = APPLICATION | REVISION | SOURCE

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
