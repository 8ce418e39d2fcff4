"""Argo CD's AppProject (`argoproj.io/v1alpha1`): what its applications may be made of, where they may run, and when.

What the rules mean stands in `app_registry.permissions`. Types: argo-cd `pkg/apis/application/v1alpha1/types.go`; rules: argo-cd
`docs/user-guide/projects.md` and `sync_windows.md`. A field that would promise a check that nobody makes is refused.
"""

from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from outrider import globs
from outrider.names import project_name
from outrider.spec.labels import AnnotationKey
from outrider.spec.metadata import CASCADE_FINALIZER
from outrider.spec.model import Model, refused
from outrider.spec.schedule import Cron, TimeZone, WindowDuration

LIST_MAX = 1024


def _pattern(text: str) -> str:
    try:
        globs.check(text.removeprefix("!"))
    except globs.InvalidGlob as error:
        raise ValueError(f"{text[:80]!r} is no pattern: it {error}") from error
    if text == "!*":
        raise ValueError("'!*' refuses everything: leave the rule out")
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


def _finalizer(text: str) -> str:
    if not text.startswith(CASCADE_FINALIZER):
        raise ValueError(f"{text!r} is not supported: nothing here would ever remove it; remove it")
    return text


class ProjectMetadata(Model):
    """Name, labels and annotations of a project."""

    name: Annotated[str, AfterValidator(project_name)]
    namespace: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[AnnotationKey, str] = Field(default_factory=dict)
    finalizers: list[Annotated[str, AfterValidator(_finalizer)]] = Field(default=[], max_length=16)


class ProjectDestination(Model):
    """Where applications may run; each part is a pattern, and one that begins with `!` refuses what it matches."""

    server: Pattern = ""
    name: Pattern = ""
    namespace: Pattern = ""

    @model_validator(mode="after")
    def _names_a_place(self) -> Self:
        if not (self.server or self.name):
            raise ValueError("matches no cluster: give server or name, '*' for all")
        return self


class GroupKind(Model):
    """A kind of objects; group and kind are patterns."""

    group: Pattern = ""
    kind: Pattern = Field(min_length=1)


class NamedGroupKind(GroupKind):
    """A kind of cluster-scoped objects, or some of them by a pattern of their name."""

    name: Pattern = ""


class ProjectRole(Model):
    """Who may do what with the project's applications."""

    name: str = Field(min_length=1)
    description: str = ""
    policies: list[str] = Field(default=[], max_length=LIST_MAX)
    groups: list[str] = Field(default=[], max_length=LIST_MAX)
    jwt_tokens: list[dict[str, Any]] = Field(default=[], max_length=LIST_MAX)


class SyncWindow(Model):
    """A time in which syncs are allowed, or denied, for the applications that it selects."""

    kind: Literal["allow", "deny"]
    schedule: Cron
    duration: WindowDuration
    applications: list[Pattern] = Field(default=[], max_length=LIST_MAX)
    namespaces: list[Pattern] = Field(default=[], max_length=LIST_MAX)
    clusters: list[Pattern] = Field(default=[], max_length=LIST_MAX)
    manual_sync: bool = False
    time_zone: TimeZone | None = None
    and_operator: bool = False
    sync_overrun: bool = False
    description: str = Field(default="", max_length=1024)

    @model_validator(mode="after")
    def _selects_something(self) -> Self:
        if not (self.applications or self.namespaces or self.clusters):
            raise ValueError("selects nothing: give applications, namespaces or clusters, ['*'] for all")
        return self


class OrphanKey(Model):
    """Objects that are no orphans though no application owns them."""

    group: Pattern = ""
    kind: Pattern = ""
    name: Pattern = ""


class OrphanedResources(Model):
    """Watch for objects in the applications' namespaces that belong to none of them."""

    warn: bool = True
    ignore: list[OrphanKey] = Field(default=[], max_length=LIST_MAX)


_NO_SIGNATURES = "is not taken: commits' signatures are not checked here; remove it"


class AppProjectSpec(Model):
    """The project's rules. A list that is absent and one that is empty are two things for `namespaceResourceWhitelist`."""

    description: str = Field(default="", max_length=1024)
    source_repos: list[Pattern] = Field(default=[], max_length=LIST_MAX)
    destinations: list[ProjectDestination] = Field(default=[], max_length=LIST_MAX)
    cluster_resource_whitelist: list[NamedGroupKind] = Field(default=[], max_length=LIST_MAX)
    cluster_resource_blacklist: list[NamedGroupKind] = Field(default=[], max_length=LIST_MAX)
    namespace_resource_whitelist: list[GroupKind] | None = Field(default=None, max_length=LIST_MAX)
    namespace_resource_blacklist: list[GroupKind] = Field(default=[], max_length=LIST_MAX)
    roles: list[ProjectRole] = Field(default=[], max_length=LIST_MAX)
    sync_windows: list[SyncWindow] = Field(default=[], max_length=256)
    orphaned_resources: OrphanedResources | None = None
    source_namespaces: list[Pattern] = Field(default=[], max_length=LIST_MAX)
    signature_keys: Annotated[None, refused(_NO_SIGNATURES)] = None
    source_integrity: Annotated[None, refused(_NO_SIGNATURES)] = None
    destination_service_accounts: Annotated[
        None, refused("is not taken: the agent works with its own account; limit that on the cluster")
    ] = None
    permit_only_project_scoped_clusters: Annotated[
        None, refused("is not taken: a cluster belongs to no project; list the clusters in destinations")
    ] = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        repeated = [url for url, count in Counter(self.source_repos).items() if count > 1]
        if repeated:
            raise ValueError(f"sourceRepos has {repeated[0]!r} twice")
        names = [name for name, count in Counter(role.name for role in self.roles).items() if count > 1]
        if names:
            raise ValueError(f"roles has {names[0]!r} twice")
        return self

    def warnings(self) -> list[str]:
        """Return what the author should know."""
        found = []
        if self.roles:
            found.append("spec.roles: kept; rights at the hub come with the identity, and roles change none")
        if self.source_namespaces:
            found.append("spec.sourceNamespaces: kept; names are unique in the hub, whatever the namespace")
        return found


class AppProject(Model):
    """One project."""

    api_version: Literal["argoproj.io/v1alpha1"]
    kind: Literal["AppProject"]
    metadata: ProjectMetadata
    spec: AppProjectSpec
