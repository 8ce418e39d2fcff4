"""Argo CD's `ApplicationSource`, as written in an Application (`spec.source`).

Every field of Argo CD's type is in these models. What the renderer does not do is a field of type `Refused`: an empty value
means the same as no value and is let through, anything else is an error that says which field it is. So no field is ever
dropped in silence. Field names and meanings: argo-cd `pkg/apis/application/v1alpha1/types.go`.
"""

import posixpath
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

PATH_MAX_CHARS = 1024
# Git itself stops at 4096 bytes; a path that long is no path that a person wrote.
REVISION_MAX_CHARS = 255
# The longest file name, and so the longest last part of a ref, on the file systems in use.

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_RELEASE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_RELEASE_NAME_MAX_CHARS = 53
# Helm's rule for release names: a DNS name that leaves room for what charts append.


class SourceKind(StrEnum):
    """Which tool renders a source."""

    HELM = "Helm"
    KUSTOMIZE = "Kustomize"
    DIRECTORY = "Directory"


def _refuse(value: object) -> None:
    if not _is_zero(value):
        raise ValueError("not supported yet; remove it")


def _refuse_any(value: object) -> None:
    """Refuse even `plugin: {}`: its presence alone chooses the tool."""
    if value is not None:
        raise ValueError("not supported yet; remove it")


def _is_zero(value: object) -> bool:
    """Tell whether Go would leave the value out: `jsonnet: {tlas: []}` is what Argo CD's page writes for no Jsonnet."""
    if isinstance(value, dict):
        return all(_is_zero(item) for item in value.values())
    return not value


Refused = Annotated[None, BeforeValidator(_refuse)]


def repository_path(text: str, *, relative_to: str = "") -> str:
    """Return `text` as a path from the repository's root ("." is the root itself); ValueError if it leaves the repository.

    As in Argo CD's value files, a leading `/` means the root of the repository when `relative_to` is given.
    """
    if _CONTROL.search(text):
        raise ValueError("a path holds no control characters")
    if len(text) > PATH_MAX_CHARS:
        raise ValueError(f"a path has at most {PATH_MAX_CHARS} characters")
    if text.startswith("/") and not relative_to:
        raise ValueError("must be relative to the root of the repository: leave out the leading '/'")
    joined = text.lstrip("/") if text.startswith("/") else posixpath.join(relative_to, text)
    path = posixpath.normpath(joined)
    if path == ".." or path.startswith("../"):
        raise ValueError(f"{text!r} leaves the repository")
    return path


def _local_file(text: str) -> str:
    """Check a value file's or file parameter's path as far as that needs no repository."""
    if not text:
        raise ValueError("is empty")
    if "://" in text:
        raise ValueError(
            f"{text!r} is a URL: files from the network are not supported yet; keep the file in the repository"
        )
    if text.startswith("$"):
        raise ValueError(f"{text!r} refers to another source: several sources are not supported yet")
    if re.search(r"[*?\[]", text):
        raise ValueError(f"{text!r} is a pattern: patterns are not supported yet; list the files one by one")
    if _CONTROL.search(text):
        raise ValueError("a path holds no control characters")
    return text


def _no_variable(text: str) -> str:
    if "$" in text.replace("$$", ""):
        raise ValueError(
            "'$' begins a build environment variable, which is not supported yet; write '$$' for a dollar sign"
        )
    return text


def without_escapes(text: str) -> str:
    """Return the text of a `Substituted` field as the tool gets it: `$$` stands for a dollar sign."""
    return text.replace("$$", "$")


LocalFile = Annotated[str, AfterValidator(_local_file)]
Substituted = Annotated[str, AfterValidator(_no_variable)]
# Argo CD puts its build environment (`$ARGOCD_APP_NAME`) into these.


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        strict=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: object) -> object:
        # `releaseName: null` and no releaseName are one thing to Kubernetes.
        return (
            {key: value for key, value in data.items() if value is not None}
            if isinstance(data, dict)
            else data
        )


class HelmParameter(_Model):
    """One `--set` (or `--set-string`)."""

    name: str = Field(min_length=1)
    value: Substituted = ""
    force_string: bool = False


class HelmFileParameter(_Model):
    """One `--set-file`."""

    name: str = Field(min_length=1)
    path: LocalFile


class HelmSource(_Model):
    """How to render a Helm chart."""

    release_name: str = ""
    value_files: list[LocalFile] = []
    values: str = ""
    values_object: dict[str, Any] | None = None
    parameters: list[HelmParameter] = []
    file_parameters: list[HelmFileParameter] = []
    ignore_missing_value_files: bool = False
    skip_crds: bool = False
    skip_tests: bool = False
    namespace: str = ""
    kube_version: str = Field("", pattern=r"^(v?\d+(\.\d+){0,2}([-+][0-9A-Za-z.+-]*)?)?$")
    api_versions: list[str] = []
    version: str = ""
    pass_credentials: Refused = None
    skip_schema_validation: Refused = None

    @field_validator("release_name")
    @classmethod
    def _release_name(cls, name: str) -> str:
        if name:
            check_release_name(name)
        return name

    @field_validator("version")
    @classmethod
    def _only_helm_3(cls, version: str) -> str:
        if version not in {"", "v3"}:
            raise ValueError(f"{version!r} is not supported: charts are rendered as by Helm v3 and later")
        return version


class KustomizeReplica(_Model):
    """The replica count of one workload."""

    name: str = Field(min_length=1)
    count: int

    @field_validator("count", mode="before")
    @classmethod
    def _int_or_string(cls, count: object) -> object:
        return int(count) if isinstance(count, str) and re.fullmatch(r"-?\d{1,18}", count) else count


class KustomizeTarget(_Model):
    """What a patch applies to."""

    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    annotation_selector: str = ""
    label_selector: str = ""


class KustomizePatch(_Model):
    """One patch, inline or from a file."""

    path: str = ""
    patch: str = ""
    target: KustomizeTarget | None = None
    options: dict[str, bool] = {}


class KustomizeSource(_Model):
    """What to change in a kustomization before it is built."""

    name_prefix: str = ""
    name_suffix: str = ""
    namespace: str = ""
    images: list[Substituted] = []
    replicas: list[KustomizeReplica] = []
    common_labels: dict[str, Substituted] = {}
    common_annotations: dict[str, str] = {}
    force_common_labels: bool = False
    force_common_annotations: bool = False
    label_without_selector: bool = False
    label_include_templates: bool = False
    patches: list[KustomizePatch] = []
    components: list[str] = []
    ignore_missing_components: bool = False
    # These two reach only the charts that a kustomization inflates, and a kustomization with charts is refused.
    kube_version: str = ""
    api_versions: list[str] = []
    version: Refused = None
    common_annotations_envsubst: Refused = None

    @model_validator(mode="after")
    def _labels_in_templates(self) -> Self:
        if self.label_include_templates and not self.label_without_selector:
            raise ValueError("labelIncludeTemplates needs labelWithoutSelector: true")
        return self


class DirectorySource(_Model):
    """Which files of a directory are manifests."""

    recurse: bool = False
    include: str = Field("", max_length=1024)
    exclude: str = Field("", max_length=1024)
    disable_extension_filter: bool = False
    jsonnet: Refused = None


class ApplicationSource(_Model):
    """Where the manifests of an application come from, and how they are rendered."""

    repo_url: str = Field(alias="repoURL", min_length=1, max_length=2048)
    target_revision: str = Field("", max_length=REVISION_MAX_CHARS)
    path: str = "."
    helm: HelmSource | None = None
    kustomize: KustomizeSource | None = None
    directory: DirectorySource | None = None
    chart: Refused = None
    ref: Refused = None
    name: Refused = None
    tag_prefix: Refused = None
    plugin: Annotated[None, BeforeValidator(_refuse_any)] = None

    @field_validator("target_revision")
    @classmethod
    def _revision(cls, revision: str) -> str:
        if _CONTROL.search(revision) or revision.startswith("-"):
            raise ValueError("names a branch, a tag or a commit")
        if re.search(r"[*^~<>=, ]", revision):
            raise ValueError(
                f"{revision!r} is a range of versions, which is not supported yet; name a branch, tag or commit"
            )
        return revision

    @field_validator("path")
    @classmethod
    def _path(cls, path: str) -> str:
        if not path:
            raise ValueError("is required: '.' is the root of the repository")
        return repository_path(path)

    @model_validator(mode="before")
    @classmethod
    def _path_is_required(cls, data: object) -> object:
        # Set here, so that a missing path and an empty one are one and the same error.
        if isinstance(data, dict) and not data.get("chart"):
            return {**data, "path": data.get("path") or ""}
        return data

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

    def _names(self, kind: SourceKind) -> bool:
        return getattr(self, kind.value.lower()) is not None

    @property
    def revision(self) -> str:
        """The revision to follow; the repository's default branch if none is named."""
        return self.target_revision or "HEAD"

    @property
    def explicit_kind(self) -> SourceKind | None:
        """The tool that the source names; None leaves it to what the path holds."""
        return next((kind for kind in SourceKind if self._names(kind)), None)


def check_release_name(name: str) -> str:
    """Return a Helm release name; ValueError if Helm would refuse it."""
    if len(name) > _RELEASE_NAME_MAX_CHARS or not _RELEASE_NAME.fullmatch(name):
        rule = f"1 to {_RELEASE_NAME_MAX_CHARS} lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
        raise ValueError(f"{name[:80]!r} is no Helm release name: {rule}")
    return name


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
