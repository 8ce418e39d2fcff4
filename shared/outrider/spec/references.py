"""What a `$` at the beginning of a file's path stands for: another source, or a variable of Argo CD's build environment."""

import re

APPLICATION = frozenset({"ARGOCD_APP_NAME", "ARGOCD_APP_NAMESPACE", "ARGOCD_APP_PROJECT_NAME"})
# Differ between applications that have the same source.
REVISION = frozenset({"ARGOCD_APP_REVISION", "ARGOCD_APP_REVISION_SHORT", "ARGOCD_APP_REVISION_SHORT_8"})
# Differ with each commit, whether it changes what the source reads or not.
SOURCE = frozenset(
    {"ARGOCD_APP_SOURCE_PATH", "ARGOCD_APP_SOURCE_REPO_URL", "ARGOCD_APP_SOURCE_TARGET_REVISION"}
)
VARIABLES = APPLICATION | REVISION | SOURCE

_REFERENCE = re.compile(r"\$([a-zA-Z0-9_-]+)(/|$)", re.ASCII)


def referred_source(file: str) -> tuple[str, str] | None:
    """Take `$ref/path` apart: the source's ref, and the path from its root. None for any other file.

    `$ARGOCD_APP_NAME/values.yaml` begins with a variable of the build environment, and is a file like any other.
    """
    match = _REFERENCE.match(file)
    if match is None or match[1] in VARIABLES:
        return None
    return match[1], file[match.end() :]
