"""Argo CD's `ApplicationSource`, as written in an Application (`spec.source`, `spec.sources[]`).

A source is a folder of a Git repository, a chart of a Helm repository (`https://` and `chart`) or an artifact of an OCI registry
(`oci://…`, or host and path with `chart`). Every field of Argo CD's type is here; one that is not honoured is refused by name.
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from outrider.rendering.semver import is_range, parse_version
from outrider.spec.model import Model, refused_outright
from outrider.spec.paths import CONTROL, repository_path
from outrider.spec.tools import (
    DirectorySource,
    HelmSource,
    KustomizeSource,
    SourceKind,
    check_release_name,
)

__all__ = ["ApplicationSource", "Origin", "SourceKind", "check_release_name", "problems", "repository_path"]

REVISION_MAX_CHARS = 255
# The longest file name, and so the longest last part of a ref, on the file systems in use.
OCI = "oci://"
_REF = re.compile(r"[a-zA-Z0-9_-]{1,100}")
_CHART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,249}(/[A-Za-z0-9][A-Za-z0-9._-]{0,249}){0,8}")
_OCI_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_OCI_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}")
_RANGE_SIGNS = re.compile(r"[*^~<>=, |]")
# No name of a branch or tag holds one of them.


class Origin(StrEnum):
    """What a source lies in."""

    GIT = "Git repository"
    CHART = "Helm repository"
    OCI = "OCI registry"


def _origin(fields: Mapping[str, Any]) -> Origin:
    """Return the origin: a registry by its scheme, or as Argo CD writes its charts', which is host and path without one."""
    url, chart = fields.get("repo_url", ""), fields.get("chart", "")
    if url.startswith(OCI) or (chart and "://" not in url):
        return Origin.OCI
    return Origin.CHART if chart else Origin.GIT


def _printable(text: str) -> str:
    if CONTROL.search(text) or text.startswith("-"):
        raise ValueError("names a branch, a tag, a commit or a version")
    return text


def _check_git_revision(revision: str, tag_prefix: str) -> None:
    if tag_prefix and not (is_range(revision) or parse_version(revision)):
        raise ValueError("with tagPrefix, must be a version or a range of versions")
    if _RANGE_SIGNS.search(revision) and not is_range(revision):
        raise ValueError(f"{revision!r} is no branch, tag or commit, and no range of versions")


def _check_version(text: str, *, tags: bool) -> None:
    if not text:
        raise ValueError(
            "is required: a version, or a range of versions" + (", a tag or a digest" if tags else "")
        )
    is_tag = tags and (_OCI_TAG.fullmatch(text) or _OCI_DIGEST.fullmatch(text))
    if not (is_tag or is_range(text) or parse_version(text)):
        raise ValueError(f"{text!r} is no version and no range of versions, such as 1.2.3, 1.2.* or >=1.2 <2")


class ApplicationSource(Model):
    """Where manifests come from, and how they are rendered."""

    repo_url: str = Field(alias="repoURL", min_length=1, max_length=2048)
    chart: str = ""
    ref: str = ""
    name: str = Field("", max_length=253)
    tag_prefix: str = Field("", max_length=REVISION_MAX_CHARS)
    target_revision: str = Field("", max_length=REVISION_MAX_CHARS, validate_default=True)
    path: str = Field("", validate_default=True)
    # Empty: a chart, an artifact's root, or a source that is only referred to.
    helm: HelmSource | None = None
    kustomize: KustomizeSource | None = None
    directory: DirectorySource | None = None
    plugin: Annotated[
        None,
        refused_outright(
            "is refused: a plugin is a program of Argo CD's repo server, and no program is started here for an application; "
            "use Helm, kustomize or Jsonnet, or render it before it is committed"
        ),
    ] = None

    @field_validator("chart")
    @classmethod
    def _chart(cls, chart: str) -> str:
        if chart and (not _CHART.fullmatch(chart) or ".." in chart):
            raise ValueError(f"{chart[:80]!r} is no chart's name")
        return chart

    @field_validator("ref")
    @classmethod
    def _ref(cls, ref: str) -> str:
        if ref and not _REF.fullmatch(ref):
            raise ValueError(f"{ref[:80]!r} holds more than letters, digits, '_' and '-'")
        return ref

    @field_validator("tag_prefix")
    @classmethod
    def _tag_prefix(cls, prefix: str, info: ValidationInfo) -> str:
        if prefix and _origin(info.data) is not Origin.GIT:
            raise ValueError("is for tags of a Git repository")
        return _printable(prefix)

    @field_validator("target_revision")
    @classmethod
    def _revision(cls, revision: str, info: ValidationInfo) -> str:
        _printable(revision)
        match _origin(info.data):
            case Origin.GIT:
                _check_git_revision(revision, info.data.get("tag_prefix", ""))
            case Origin.CHART:
                _check_version(revision, tags=False)
            case Origin.OCI:
                _check_version(revision, tags=True)
        return revision

    @field_validator("path")
    @classmethod
    def _path(cls, path: str, info: ValidationInfo) -> str:
        if info.data.get("chart"):
            if path not in ("", "."):
                raise ValueError("and chart exclude one another: a chart is rendered as a whole")
            return ""
        if not path and not info.data.get("ref") and _origin(info.data) is Origin.GIT:
            raise ValueError("is required: '.' is the root of the repository")
        return repository_path(path) if path else path

    @model_validator(mode="after")
    def _one_tool(self) -> Self:
        named = [
            kind.value
            for kind in (SourceKind.KUSTOMIZE, SourceKind.HELM, SourceKind.DIRECTORY)
            if self._names(kind)
        ]
        if len(named) > 1:
            raise ValueError(f"multiple application sources defined: {','.join(named)}; keep one of them")
        return self

    @model_validator(mode="after")
    def _fits_its_origin(self) -> Self:
        if self.ref and not self.is_git:
            raise ValueError(
                "ref is for a Git repository: no files of a chart are referred to from other sources"
            )
        if self.chart and (self.kustomize or self.directory):
            raise ValueError("a chart is rendered by Helm: give its options in helm")
        return self

    def _names(self, kind: SourceKind) -> bool:
        return getattr(self, kind.value.lower()) is not None

    @property
    def origin(self) -> Origin:
        """What it lies in."""
        return _origin({"repo_url": self.repo_url, "chart": self.chart})

    @property
    def is_git(self) -> bool:
        """A folder of a Git repository."""
        return self.origin is Origin.GIT

    @property
    def address(self) -> str:
        """The URL of the repository or registry, with its scheme."""
        return self.repo_url if "://" in self.repo_url or self.is_git else f"{OCI}{self.repo_url}"

    @property
    def folder(self) -> str:
        """The folder that is rendered, from the root of the repository, chart or artifact."""
        return self.path or "."

    @property
    def is_rendered(self) -> bool:
        """Whether it gives manifests; one with `ref` and no path is only there for its files."""
        return bool(self.path or not self.ref)

    @property
    def revision(self) -> str:
        """What to follow: as written, the default branch if nothing is; `prefix:range` for tags with a prefix."""
        if self.tag_prefix:
            return f"{self.tag_prefix}:{self.target_revision}"
        return self.target_revision or "HEAD"

    @property
    def explicit_kind(self) -> SourceKind | None:
        """The tool that the source names; None leaves it to what the path holds."""
        if self.chart:
            return SourceKind.HELM
        return next((kind for kind in SourceKind if self._names(kind)), None)


def problems(error: ValidationError, at: str = "spec.source") -> Iterator[str]:
    """Give each problem of a refused source as `field: reason`, the field by its full path (`spec.source.helm.version`)."""
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        field = at
        for part in item["loc"]:
            field += f"[{part}]" if isinstance(part, int) else f".{part}"
        if item["type"] == "extra_forbidden":
            yield f"{field}: unknown field"
        else:
            yield f"{field}: {item['msg'].removeprefix('Value error, ')}"
