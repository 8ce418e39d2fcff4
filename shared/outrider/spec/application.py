"""Argo CD's Application (`argoproj.io/v1alpha1`): every field is honoured or refused by name, never dropped in silence.

Types: argo-cd `pkg/apis/application/v1alpha1/types.go`. What a refusal says is written beside the field.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from outrider.names import ClusterName, cluster_name, project_name
from outrider.rendering.git.address import parse_address
from outrider.rendering.git.errors import AddressRefused
from outrider.spec.metadata import Metadata
from outrider.spec.model import Model, refused
from outrider.spec.operation import Operation
from outrider.spec.source import ApplicationSource
from outrider.spec.sources import SOURCES_MAX, check_source, check_sources
from outrider.spec.sync_policy import SyncPolicy

_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SERVER = re.compile(r"https?://[^\s/]+(/\S*)?")
DEFAULT_PROJECT = "default"
JQ_PATH_MAX_CHARS = 4096
# It is compiled at every edge; a path that long is a program.


def _pointer(text: str) -> str:
    if not text.startswith("/") or re.search(r"~(?![01])", text):
        raise ValueError(f"{text!r} is no JSON pointer: write /spec/replicas, with ~1 for '/' and ~0 for '~'")
    return text


JsonPointer = Annotated[str, AfterValidator(_pointer)]
JqPath = Annotated[str, Field(min_length=1, max_length=JQ_PATH_MAX_CHARS)]


class Destination(Model):
    """Where an application runs: a cluster by name or by the server URL that it was registered with."""

    server: str = Field(default="", max_length=2048)
    name: str = ""
    namespace: str = ""

    @field_validator("server")
    @classmethod
    def _server(cls, server: str) -> str:
        if server and not _SERVER.fullmatch(server):
            raise ValueError(f"{server!r} is no https:// URL")
        return server.rstrip("/")

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        return cluster_name(name) if name else name

    @field_validator("namespace")
    @classmethod
    def _namespace(cls, namespace: str) -> str:
        if namespace and not _NAMESPACE.fullmatch(namespace):
            raise ValueError(
                f"{namespace[:80]!r} is no namespace: 1 to 63 lower-case letters, digits and '-'"
            )
        return namespace

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if bool(self.server) == bool(self.name):
            given = "both are given" if self.server else "neither is given"
            raise ValueError(f"needs exactly one of name and server, and {given}")
        return self

    @property
    def cluster(self) -> ClusterName | None:
        """The cluster that is named, if it is by name."""
        return ClusterName(self.name) if self.name else None


class IgnoredDifference(Model):
    """Parts of objects that are not compared. Group and kind may be patterns."""

    group: str = ""
    kind: str = Field(min_length=1)
    name: str = ""
    namespace: str = ""
    json_pointers: list[JsonPointer] = Field(default=[], alias="jsonPointers", max_length=256)
    jq_path_expressions: list[JqPath] = Field(default=[], alias="jqPathExpressions", max_length=256)
    managed_fields_managers: list[Annotated[str, Field(min_length=1, max_length=128)]] = Field(
        default=[], max_length=256
    )

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if not (self.json_pointers or self.jq_path_expressions or self.managed_fields_managers):
            raise ValueError("ignores nothing: give jsonPointers, jqPathExpressions or managedFieldsManagers")
        return self


class Info(Model):
    """A name and a value for people to read."""

    name: str
    value: str


class ApplicationSpec(Model):
    """What is to run, where, and how it is kept so."""

    project: str = ""
    destination: Destination
    source: ApplicationSource | None = None
    sources: list[ApplicationSource] = Field(default=[], max_length=SOURCES_MAX)
    sync_policy: SyncPolicy | None = None
    ignore_differences: list[IgnoredDifference] = Field(default=[], max_length=256)
    info: list[Info] = Field(default=[], max_length=256)
    revision_history_limit: int | None = Field(default=None, ge=0, le=1000)
    source_hydrator: Annotated[
        None,
        refused("is not supported: it writes to the repository, and nothing here does; give spec.source"),
    ] = None

    @field_validator("project")
    @classmethod
    def _project(cls, project: str) -> str:
        return project_name(project) if project else project

    @field_validator("source", "sources")
    @classmethod
    def _repositories(cls, value: Any) -> Any:
        for source in value if isinstance(value, list) else [value] if value else []:
            try:
                address = parse_address(source.address)
            except AddressRefused as error:
                raise ValueError(f"repoURL is refused: {error.reason}") from error
            if source.is_git and address.path == "/":
                raise ValueError(
                    f"repoURL is refused: {source.repo_url} names a host and no Git repository on it"
                )
        return value

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if self.source is not None and self.sources:
            raise ValueError("source and sources exclude one another: give one of them")
        if self.source is not None:
            check_source(self.source)
        elif self.sources:
            check_sources(self.sources)
        else:
            raise ValueError("needs a source: give source, or several in sources")
        return self

    @property
    def all_sources(self) -> tuple[ApplicationSource, ...]:
        """Its sources in the order of their precedence, the one that wins last."""
        return (self.source,) if self.source is not None else tuple(self.sources)

    @property
    def allows_empty(self) -> bool:
        """Whether a source without any object may take away what runs."""
        automated = self.sync_policy.automated if self.sync_policy else None
        return automated.allow_empty if automated else False

    @property
    def namespace_labels(self) -> tuple[str, ...]:
        """Keys of the labels that its namespace is to be made with."""
        metadata = self.sync_policy.managed_namespace_metadata if self.sync_policy else None
        return tuple(metadata.labels) if metadata else ()

    def for_edge(self) -> dict[str, Any]:
        """Return what the agent has to know, set fields only: it travels with every change."""
        spec = self.model_dump(
            by_alias=True,
            mode="json",
            exclude_defaults=True,
            exclude={
                "project": True,
                "source": True,
                "sources": True,
                "info": True,
                "destination": {"name", "server"},
            },
        )
        return {name: value for name, value in spec.items() if value != {}}


class Application(Model):
    """One application."""

    api_version: Literal["argoproj.io/v1alpha1"]
    kind: Literal["Application"]
    metadata: Metadata
    spec: ApplicationSpec
    operation: Operation | None = None
    # A sync that is asked for with the manifest; it is not stored.
