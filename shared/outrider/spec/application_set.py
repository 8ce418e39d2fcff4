"""Argo CD's ApplicationSet (`argoproj.io/v1alpha1`), stored and checked as far as that needs no generator to run.

The template is text until its parameters are known, so only its shape is checked here. Types: argo-cd
`pkg/apis/application/v1alpha1/applicationset_types.go`; fields: argo-cd `docs/operator-manual/applicationset/`.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic.alias_generators import to_camel

from outrider.names import project_name
from outrider.spec.model import Model

NESTED_MAX = 2
# matrix and merge combine generators, and may hold one more matrix or merge, as in Argo CD.
NOT_GENERATED = "is stored; applications are not generated from it yet, so apply those that it stands for"
_RARE = ("pull_request", "scm_provider", "cluster_decision_resource", "plugin")

Map = dict[str, Any]


class SetMetadata(Model):
    """Name, labels and annotations of a set."""

    name: Annotated[str, AfterValidator(project_name)]
    namespace: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[str] = Field(default=[], max_length=16)


class TemplateMetadata(Model):
    """Metadata of the applications; every text may hold parameters."""

    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[str] = Field(default=[], max_length=16)


class Template(Model):
    """The Application that is written for each set of parameters."""

    metadata: TemplateMetadata
    spec: Map


class Selector(Model):
    """Kubernetes' label selector."""

    match_labels: dict[str, str] = Field(default_factory=dict)
    match_expressions: list[Map] = Field(default=[], max_length=256)


class ListGenerator(Model):
    """Parameters as they are written."""

    elements: list[Map] = Field(default=[], max_length=10_000)
    elements_yaml: str = ""
    template: Template | None = None


class ClusterGenerator(Model):
    """One set of parameters for each registered cluster that the selector matches."""

    selector: Selector | None = None
    values: dict[str, str] = Field(default_factory=dict)
    flat_list: bool = False
    template: Template | None = None


class GitDirectory(Model):
    """Directories by a pattern."""

    path: str = Field(min_length=1)
    exclude: bool = False


class GitFile(Model):
    """Files by a pattern."""

    path: str = Field(min_length=1)
    exclude: bool = False


class GitGenerator(Model):
    """One set of parameters for each directory or file of a repository."""

    repo_url: str = Field(alias="repoURL", min_length=1)
    revision: str = ""
    directories: list[GitDirectory] = Field(default=[], max_length=1024)
    files: list[GitFile] = Field(default=[], max_length=1024)
    requeue_after_seconds: int | None = Field(default=None, ge=0)
    path_param_prefix: str = ""
    values: dict[str, str] = Field(default_factory=dict)
    template: Template | None = None

    @model_validator(mode="after")
    def _looks_for_something(self) -> Self:
        if not (self.directories or self.files):
            raise ValueError("finds nothing: give directories or files")
        return self


class MatrixGenerator(Model):
    """Every combination of the parameters of two generators."""

    generators: "list[Generator]" = Field(min_length=2, max_length=2)
    template: Template | None = None


class MergeGenerator(Model):
    """Parameters of several generators, joined by keys."""

    generators: "list[Generator]" = Field(min_length=2, max_length=64)
    merge_keys: list[str] = Field(min_length=1, max_length=64)
    template: Template | None = None


class Generator(Model):
    """Exactly one generator, and what of its output counts."""

    list_: ListGenerator | None = Field(default=None, alias="list")
    clusters: ClusterGenerator | None = None
    git: GitGenerator | None = None
    matrix: MatrixGenerator | None = None
    merge: MergeGenerator | None = None
    pull_request: Map | None = None
    scm_provider: Map | None = None
    cluster_decision_resource: Map | None = None
    plugin: Map | None = None
    selector: Selector | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        named = [name for name in _GENERATORS if getattr(self, name) is not None]
        if len(named) != 1:
            given = f"{len(named)} are given" if named else "none is given"
            raise ValueError(f"needs exactly one of list, clusters, git, matrix, merge, and {given}")
        return self

    def rare(self) -> list[str]:
        """Return the fields that are kept and that nothing is going to use soon."""
        named = [(name, getattr(self, name)) for name in _GENERATORS if getattr(self, name) is not None]
        found = [to_camel(name) for name, _ in named if name in _RARE]
        for name, generator in named:
            shown = to_camel(name.rstrip("_"))
            found += [
                f"{shown}.{to_camel(field)}"
                for field in ("template", "flat_list")
                if getattr(generator, field, None)
            ]
        return found

    @property
    def nested(self) -> "list[Generator]":
        """The generators that it combines."""
        combined = self.matrix or self.merge
        return combined.generators if combined else []


_GENERATORS = tuple(name for name in Generator.model_fields if name != "selector")
Percentage = Annotated[str, Field(pattern=r"\d{1,3}%")]


class RolloutExpression(Model):
    """Which applications belong to a step."""

    key: str = Field(min_length=1)
    operator: Literal["In", "NotIn"]
    values: list[str] = Field(default=[], max_length=1024)


class RolloutStep(Model):
    """One step; `maxUpdate` 0 waits for a person."""

    match_expressions: list[RolloutExpression] = Field(default=[], max_length=256)
    max_update: Annotated[int, Field(ge=0)] | Percentage | None = None


class RollingSync(Model):
    """Steps, one after the other."""

    steps: list[RolloutStep] = Field(default=[], max_length=256)


class Strategy(Model):
    """How a change reaches the applications of the set."""

    type: Literal["AllAtOnce", "RollingSync", ""] = ""
    rolling_sync: RollingSync | None = None
    deletion_order: Literal["AllAtOnce", "Reverse", ""] = ""


class SetSyncPolicy(Model):
    """What the set may do to its applications."""

    preserve_resources_on_deletion: bool = False
    applications_sync: Literal["create-only", "create-update", "create-delete", "sync", ""] = ""


class PreservedFields(Model):
    """What others may set on the applications."""

    annotations: list[str] = Field(default=[], max_length=256)
    labels: list[str] = Field(default=[], max_length=256)


class IgnoredApplicationDifference(Model):
    """Parts of applications that the set leaves as they are."""

    name: str = ""
    json_pointers: list[str] = Field(default=[], alias="jsonPointers", max_length=256)
    jq_path_expressions: list[str] = Field(default=[], alias="jqPathExpressions", max_length=256)


class ApplicationSetSpec(Model):
    """Which applications there are to be."""

    go_template: bool = False
    go_template_options: list[str] = Field(default=[], max_length=16)
    generators: list[Generator] = Field(min_length=1, max_length=64)
    template: Template
    template_patch: str = ""
    sync_policy: SetSyncPolicy | None = None
    strategy: Strategy | None = None
    preserved_fields: PreservedFields | None = None
    ignore_application_differences: list[IgnoredApplicationDifference] = Field(default=[], max_length=256)
    apply_nested_selectors: bool = False

    @model_validator(mode="after")
    def _nested_once(self) -> Self:
        level = list(self.generators)
        for _ in range(NESTED_MAX + 1):
            level = [nested for generator in level for nested in generator.nested]
        if level:
            raise ValueError("generators are combined more than two levels deep")
        return self

    def warnings(self) -> list[str]:
        """Return what the author should know."""
        found = [f"ApplicationSet {NOT_GENERATED}"]
        for index, generator in enumerate(self.generators):
            for one in (generator, *generator.nested):
                found += [
                    f"spec.generators[{index}].{field}: kept; nothing generates from it"
                    for field in one.rare()
                ]
        if self.strategy is not None and self.strategy.deletion_order:
            found.append("spec.strategy.deletionOrder: kept, without effect")
        if self.apply_nested_selectors:
            found.append("spec.applyNestedSelectors: kept, without effect")
        return found


class ApplicationSet(Model):
    """One set."""

    api_version: Literal["argoproj.io/v1alpha1"]
    kind: Literal["ApplicationSet"]
    metadata: SetMetadata
    spec: ApplicationSetSpec
