"""What the hub's buckets hold: one record a key, each kind written by one process. Versioned arrays (`outrider.codec`)."""

import hashlib
from dataclasses import dataclass, field
from typing import Any, ClassVar

from outrider import codec
from outrider.codec import Message


@dataclass(frozen=True)
class ClusterRecord(Message):
    """Bucket `clusters`, key: the cluster's name. Written by app-registry."""

    VERSION: ClassVar[int] = 1
    name: str
    public_key: str
    # the user nkey that the cluster connects with
    created_at_ms: int
    labels: dict[str, str] = field(default_factory=dict)
    server: str = ""
    # what `destination.server` of an imported Application says
    issued_at_s: int = 0
    # of the newest JWT; older ones are void once the key is revoked
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PoolRecord(Message):
    """Bucket `pools`, key: the pool's name. Written by app-registry. The hub's own renderers need none."""

    VERSION: ClassVar[int] = 1
    name: str
    public_key: str
    # the user nkey that its renderers connect with
    sealing_key: bytes
    # the public key that credentials of its repositories are sealed to
    created_at_ms: int
    issued_at_s: int = 0
    # of the newest JWT
    removing: bool = False


@dataclass(frozen=True)
class PoolPresenceRecord(Message):
    """Bucket `pool_presence`, key: the pool's name. Written by repo-renderer when it changes."""

    VERSION: ClassVar[int] = 1
    online: bool
    since_ms: int
    # of the last change of `online`
    renderers: list[Any] = field(default_factory=list)
    # [[name, version]] of those that are connected; the first one works, the others stand by


@dataclass(frozen=True)
class RepositoryRecord(Message):
    """Bucket `repositories`, key: `repository_key(url)`. Written by app-registry."""

    VERSION: ClassVar[int] = 1
    url: str
    pool: str = "default"
    # which renderers serve it, and can open what is sealed
    sealed: bytes = b""
    # credentials, `identity.sealing`: {username, password, ssh_private_key, ssh_known_hosts, tls_ca}
    created_at_ms: int = 0
    public: dict[str, Any] = field(default_factory=dict)
    # what may be shown: {"username": …, "kind": "password" | "ssh" | "none"}


@dataclass(frozen=True)
class ApplicationRecord(Message):
    """Bucket `applications`, key: the name as a token. Written by app-registry, on a person's request only."""

    VERSION: ClassVar[int] = 1
    name: str
    uid: bytes
    manifest: dict[str, Any]
    # Argo CD's Application as it was applied, without status and operation
    created_at_ms: int
    updated_at_ms: int
    deleting: bool = False
    cascade: bool = False
    # whether its objects go with it (finalizer)
    propagation: str = ""
    # how they go: "foreground" or "background"; empty: as the finalizer says


@dataclass(frozen=True)
class ProjectRecord(Message):
    """Bucket `projects`, key: the name as a token. Written by app-registry, on a person's request only."""

    VERSION: ClassVar[int] = 1
    name: str
    manifest: dict[str, Any]
    # Argo CD's AppProject as it was applied
    created_at_ms: int
    updated_at_ms: int


@dataclass(frozen=True)
class SetRecord(Message):
    """Bucket `sets`, key: the name as a token. Written by app-registry, on a person's request only."""

    VERSION: ClassVar[int] = 1
    name: str
    manifest: dict[str, Any]
    # Argo CD's ApplicationSet as it was applied
    created_at_ms: int
    updated_at_ms: int


@dataclass(frozen=True)
class SettingsRecord(Message):
    """Bucket `settings`, key: SETTINGS_KEY. Written by app-registry, on a person's request only."""

    VERSION: ClassVar[int] = 1
    customisations: dict[str, Any] = field(default_factory=dict)
    # what argocd-cm says, in the form that agents get
    manifest: dict[str, Any] = field(default_factory=dict)
    # the ConfigMap, as far as it says that; what else it holds (logins, say) is not kept
    time_zone: str = ""
    # of clusters that have none of their own
    updated_at_ms: int = 0


@dataclass(frozen=True)
class ConditionsRecord(Message):
    """Bucket `conditions`, key: the application's name as a token. Written by app-registry, when they change."""

    VERSION: ClassVar[int] = 1
    conditions: list[Any]
    # [{"type": "ComparisonError", "message": …, "since": RFC 3339}]; Argo CD's types
    cluster: str = ""
    # where the application runs; empty if its destination is not known


@dataclass(frozen=True)
class SourceRecord(Message):
    """Bucket `sources`, key: `source_key`. Written by app-registry while an application uses it; rendered by the pool."""

    VERSION: ClassVar[int] = 1
    repo_url: str
    pool: str
    source: dict[str, Any]
    # Argo CD's source, set fields only
    context: dict[str, Any] = field(default_factory=dict)
    # what else the rendering depends on: nothing, a release {"app_name", "namespace"}, or an application: those and {"project"}
    sources: list[Any] = field(default_factory=list)
    # of an application with several sources, all of them; `source` is then empty, and `repo_url` that of the first

    @property
    def all_sources(self) -> list[Any]:
        """The sources in the order of their precedence."""
        return self.sources or [self.source]


@dataclass(frozen=True)
class RenderingRecord(Message):
    """Bucket `renderings`, key: `source_key`. Written by repo-renderer. An error leaves the last good rendering in place."""

    VERSION: ClassVar[int] = 1
    revision: str = ""
    # commit (or version, or OCI digest) of the bundle, of several sources comma-joined in their order; empty: never rendered
    digest: bytes = b""
    base: bytes | None = None
    patch: bytes | None = None
    # zstd patch from the bundle rendered before, if it is small
    objects: int = 0
    error: str = ""
    # why the newest state of the repository is not the one above; names file and line or field
    error_revision: str = ""
    changed_at_ms: int = 0
    fingerprint: str = ""
    # of what the source reads, at `revision`: a commit that leaves it as it is calls for nothing
    needs_release: bool = False
    # the source is a chart, so its rendering depends on release name and namespace, which this record's source lacks
    needs_application: bool = False
    # the repository holds overrides for single applications, or names the application: the rendering is one application's
    warnings: list[Any] = field(default_factory=list)
    # [[type, message]] with Argo CD's types of conditions: RepeatedResourceWarning


@dataclass(frozen=True)
class ArchiveRecord(Message):
    """Bucket `archive`, key: all that enters a rendering. Written by repo-renderer, once."""

    VERSION: ClassVar[int] = 1
    digest: bytes
    objects: int
    warnings: list[Any] = field(default_factory=list)
    # as in RenderingRecord


@dataclass(frozen=True)
class StatusRecord(Message):
    """Bucket `status`, key: `<cluster>.<application token>`. Written by status-aggregator."""

    VERSION: ClassVar[int] = 1
    document: bytes
    # canonical msgpack of the status document; empty where it is a frame
    observed_at_ms: int
    # edge clock, corrected by the offset measured at connect
    received_at_ms: int
    frame: bytes = b""
    # zstd of the document: some seventh of its bytes


@dataclass(frozen=True)
class EdgeRecord(Message):
    """Bucket `status`, key: `<cluster>`. Written by status-aggregator."""

    VERSION: ClassVar[int] = 1
    online: bool
    since_ms: int
    # of the last change of presence
    heard_at_ms: int = 0
    epoch: int = 0
    seq: int = 0
    # the last batch folded
    clock_offset_ms: int = 0
    # hub clock minus edge clock
    observed_at_ms: int = 0
    # when the last word was said: edge clock, corrected
    heard_late_ms: int = 0
    # how long the last word had waited at the hub when it was folded; -1: nobody knows
    turn: int = 0
    # grows with each change of presence, whatever becomes of the clock: it orders their events


GATEWAY_LEASE = "gateway.lease"


# In bucket `pool_presence`: who of the hub's own renderers the pools' renderers talk to. No pool has such a name.
@dataclass(frozen=True)
class LookRecord(Message):
    """Bucket `looks`, key `<cluster>.<application token>.<what was looked at>`. Written by app-registry."""

    VERSION: ClassVar[int] = 1
    uid: bytes
    # of the application: one that was made again under the same name is another one
    at_ms: int
    # when the agent answered, by the hub's clock
    frame: bytes
    # its answer: zstd of msgpack (`outrider.delta`)


SETTINGS_KEY = "clusters"
# The settings that all clusters share; a cluster's own are in its record.


def repository_key(url: str) -> str:
    """Return the bucket key of a repository."""
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def source_key(repo_url: str, source: dict[str, Any], context: dict[str, Any]) -> str:
    """Return the bucket key of a distinct rendering: applications whose manifests must be equal have the same key."""
    return hashlib.sha256(codec.canonical([repo_url, source, context])).hexdigest()[:32]
