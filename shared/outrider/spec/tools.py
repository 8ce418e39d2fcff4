"""How a source is rendered: the options of Helm, kustomize and directories, as written in an Application.

Every field of Argo CD's types is in these models; one that is not honoured is refused by name, with its reason. Field names and
meanings: argo-cd `pkg/apis/application/v1alpha1/types.go`.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from outrider.spec.model import Model, refused
from outrider.spec.paths import CONTROL, repository_path

_RELEASE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_RELEASE_NAME_MAX_CHARS = 53
# Helm's rule for release names: a DNS name that leaves room for what charts append.
_KUBE_VERSION = r"^(v?\d+(\.\d+){0,2}([-+][0-9A-Za-z.+-]*)?)?$"


class SourceKind(StrEnum):
    """Which tool renders a source."""

    HELM = "Helm"
    KUSTOMIZE = "Kustomize"
    DIRECTORY = "Directory"


def check_release_name(name: str) -> str:
    """Return a Helm release name; ValueError if Helm would refuse it."""
    if len(name) > _RELEASE_NAME_MAX_CHARS or not _RELEASE_NAME.fullmatch(name):
        rule = f"1 to {_RELEASE_NAME_MAX_CHARS} lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
        raise ValueError(f"{name[:80]!r} is no Helm release name: {rule}")
    return name


def _file(text: str) -> str:
    """Check a value file's or file parameter's path as far as that needs no repository."""
    if not text:
        raise ValueError("is empty")
    if "://" in text:
        raise ValueError(
            f"{text[:200]!r} is a URL: what it holds belongs to no revision, so that nothing could be rendered again from it; "
            "keep the file in a repository, and name that as a source with `ref`"
        )
    if CONTROL.search(text):
        raise ValueError("a path holds no control characters")
    return text


def _library(text: str) -> str:
    return repository_path(text)


File = Annotated[str, AfterValidator(_file)]
# May begin with `$ref/`, the root of another source, and hold `*`, `?`, `[a-z]` and `**`.


class HelmParameter(Model):
    """One `--set` (or `--set-string`)."""

    name: str = Field(min_length=1)
    value: str = ""
    force_string: bool = False


class HelmFileParameter(Model):
    """One `--set-file`."""

    name: str = Field(min_length=1)
    path: File


class HelmSource(Model):
    """How to render a Helm chart."""

    release_name: str = ""
    value_files: list[File] = Field(default=[], max_length=256)
    values: str = ""
    values_object: dict[str, Any] | None = None
    parameters: list[HelmParameter] = Field(default=[])
    file_parameters: list[HelmFileParameter] = Field(default=[])
    ignore_missing_value_files: bool = False
    skip_crds: bool = False
    skip_tests: bool = False
    skip_schema_validation: bool = False
    pass_credentials: bool = False
    namespace: str = ""
    kube_version: str = Field("", pattern=_KUBE_VERSION)
    api_versions: list[str] = Field(default=[])
    version: str = ""

    @field_validator("release_name")
    @classmethod
    def _release_name(cls, name: str) -> str:
        return check_release_name(name) if name else name

    @field_validator("version")
    @classmethod
    def _only_helm_3(cls, version: str) -> str:
        if version not in {"", "v3"}:
            raise ValueError(f"{version!r} is not supported: charts are rendered as by Helm v3 and later")
        return version

    @property
    def files(self) -> list[str]:
        """Every file that it names: value files, then file parameters."""
        return [*self.value_files, *(parameter.path for parameter in self.file_parameters)]


class KustomizeReplica(Model):
    """The replica count of one workload."""

    name: str = Field(min_length=1)
    count: int

    @field_validator("count", mode="before")
    @classmethod
    def _int_or_string(cls, count: object) -> object:
        return int(count) if isinstance(count, str) and re.fullmatch(r"-?\d{1,18}", count) else count


class KustomizeTarget(Model):
    """What a patch applies to."""

    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    annotation_selector: str = ""
    label_selector: str = ""


class KustomizePatch(Model):
    """One patch, inline or from a file."""

    path: str = ""
    patch: str = ""
    target: KustomizeTarget | None = None
    options: dict[str, bool] = Field(default={})


class KustomizeSource(Model):
    """What to change in a kustomization before it is built."""

    name_prefix: str = ""
    name_suffix: str = ""
    namespace: str = ""
    images: list[str] = Field(default=[])
    replicas: list[KustomizeReplica] = Field(default=[])
    common_labels: dict[str, str] = Field(default={})
    common_annotations: dict[str, str] = Field(default={})
    common_annotations_envsubst: bool = False
    force_common_labels: bool = False
    force_common_annotations: bool = False
    label_without_selector: bool = False
    label_include_templates: bool = False
    patches: list[KustomizePatch] = Field(default=[])
    components: list[str] = Field(default=[])
    ignore_missing_components: bool = False
    # These two reach only the charts that a kustomization inflates, and a kustomization with charts is refused.
    kube_version: str = Field("", pattern=_KUBE_VERSION)
    api_versions: list[str] = Field(default=[])
    version: Annotated[
        None,
        refused(
            "chooses among kustomize programs installed beside Argo CD: here kubectl's kustomize builds everything; remove it"
        ),
    ] = None

    @model_validator(mode="after")
    def _labels_in_templates(self) -> Self:
        if self.label_include_templates and not self.label_without_selector:
            raise ValueError("labelIncludeTemplates needs labelWithoutSelector: true")
        return self


class JsonnetVariable(Model):
    """One external variable or top-level argument; `code` is Jsonnet, anything else text."""

    name: str = Field(min_length=1)
    value: str
    code: bool = False


class JsonnetOptions(Model):
    """How the `*.jsonnet` files of a directory are evaluated. Libraries are folders, from the repository's root."""

    ext_vars: list[JsonnetVariable] = Field(default=[])
    tlas: list[JsonnetVariable] = Field(default=[])
    libs: list[Annotated[str, AfterValidator(_library)]] = Field(default=[])


class DirectorySource(Model):
    """Which files of a directory are manifests."""

    recurse: bool = False
    include: str = Field("", max_length=1024)
    exclude: str = Field("", max_length=1024)
    disable_extension_filter: bool = False
    jsonnet: JsonnetOptions = JsonnetOptions()
