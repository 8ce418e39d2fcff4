"""Every stream, bucket and object store of the hub: limits, who writes, who reads. Declared here and nowhere else.

`outrider.bus.topology` creates or updates them, idempotently, from whichever process starts first;
`outrider.identity.roles` derives each service's permissions from the same table, so that one writer per fact
(DESIGN section 11) is a rule that the server enforces. What each limit is for is said in docs/bus.md.
"""

from dataclasses import dataclass, replace
from typing import Literal

from outrider import subjects

Role = Literal["registry", "renderer", "aggregator", "person"]

MIB = 1 << 20
GIB = 1 << 30
DAY_S = 24 * 3600


@dataclass(frozen=True)
class Stream:
    """A stream of messages that processes publish to by subject."""

    name: str
    subjects: tuple[str, ...]
    max_bytes: int
    readers: tuple[Role, ...]
    writers: tuple[Role, ...] = ()
    # The roles that may publish; an edge's right to its own subjects comes from its own template.
    purgers: tuple[Role, ...] = ()
    max_age_s: float = 0
    last_per_subject: bool = False
    # Keep one message a subject, the newest, without age: the stream is a table.
    in_batches: bool = False
    # Its writer may store many messages with one wait for the disk, all or none of them.


@dataclass(frozen=True)
class Bucket:
    """A key-value bucket; one writer, so no two processes disagree on a fact."""

    name: str
    max_bytes: int
    writers: tuple[Role, ...]
    readers: tuple[Role, ...]
    drops_oldest: bool = False
    # When it is full, instead of refusing what is new: for what nobody needs, but is glad to have.

    @property
    def stream(self) -> str:
        """The stream that NATS keeps the bucket in."""
        return f"KV_{self.name}"


@dataclass(frozen=True)
class ObjectStore:
    """A store of large immutable objects, named by digest."""

    name: str
    max_bytes: int
    writers: tuple[Role, ...]
    readers: tuple[Role, ...]

    @property
    def stream(self) -> str:
        """The stream that NATS keeps the store in."""
        return f"OBJ_{self.name}"


@dataclass(frozen=True)
class Topology:
    """All that must exist before a process works."""

    streams: tuple[Stream, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    object_stores: tuple[ObjectStore, ...] = ()
    replicas: int | None = None
    # None: as the servers allow, 1 on one node, 3 on several. Never 2 or 4: an even number survives no more faults.

    def of(self, role: Role) -> "Topology":
        """Return the part that a role reads or writes, and so may create."""
        return replace(
            self,
            streams=tuple(s for s in self.streams if role in (*s.readers, *s.writers)),
            buckets=tuple(b for b in self.buckets if role in (*b.readers, *b.writers)),
            object_stores=tuple(o for o in self.object_stores if role in (*o.readers, *o.writers)),
        )


DESIRED = Stream(
    "DESIRED",
    (subjects.ALL_DESIRED,),
    max_bytes=1 * GIB,
    writers=("registry",),
    readers=("registry", "aggregator"),
    purgers=("registry",),
    last_per_subject=True,
)
# Loss is legal in STATUS and JOURNAL once old: digests find and mend it.
STATUS = Stream(
    "STATUS", (subjects.ALL_STATUS,), max_bytes=512 * MIB, readers=("aggregator",), max_age_s=7 * DAY_S
)
JOURNAL = Stream(
    "JOURNAL", (subjects.ALL_JOURNAL,), max_bytes=512 * MIB, readers=("aggregator",), max_age_s=90 * DAY_S
)
EVENTS = Stream(
    "EVENTS",
    ("events.>",),
    max_bytes=256 * MIB,
    writers=("aggregator",),
    readers=("person",),
    max_age_s=7 * DAY_S,
    in_batches=True,
)

CLUSTERS = Bucket("clusters", 64 * MIB, writers=("registry",), readers=("registry", "aggregator"))
REPOSITORIES = Bucket("repositories", 64 * MIB, writers=("registry",), readers=("registry", "renderer"))
POOLS = Bucket("pools", 16 * MIB, writers=("registry",), readers=("registry", "renderer"))
POOL_PRESENCE = Bucket("pool_presence", 16 * MIB, writers=("renderer",), readers=("registry", "renderer"))
# Which pools' renderers are there; also which of the hub's own renderers is the gateway that they talk to.
APPLICATIONS = Bucket("applications", 256 * MIB, writers=("registry",), readers=("registry", "aggregator"))
PROJECTS = Bucket("projects", 64 * MIB, writers=("registry",), readers=("registry", "aggregator"))
SETS = Bucket("sets", 64 * MIB, writers=("registry",), readers=("registry",))
SETTINGS = Bucket("settings", 16 * MIB, writers=("registry",), readers=("registry",))
# What agents are told of health, actions, ignored differences and time zones; each cluster gets it as a record of its own.
CONDITIONS = Bucket("conditions", 128 * MIB, writers=("registry",), readers=("registry", "aggregator"))
# What keeps an application from its newest revision, as far as the hub knows: a rendering error, an unknown cluster.
SOURCES = Bucket("sources", 256 * MIB, writers=("registry",), readers=("registry", "renderer"))
# What must be rendered, once for all applications that share it …
RENDERINGS = Bucket("renderings", 256 * MIB, writers=("renderer",), readers=("registry", "renderer"))
# … and what each source is at: revision, digest, or the error that keeps it at the last good one.
ARCHIVE = Bucket("archive", 256 * MIB, writers=("renderer",), readers=("renderer",))
# (source, revision, parameters) -> bundle digest, for good: a chart that rolls dice is rendered once.
STATUSES = Bucket("status", 512 * MIB, writers=("aggregator",), readers=("registry", "aggregator"))
REGISTRY = Bucket("registry", 16 * MIB, writers=("registry",), readers=("registry",))
# What only the registry has to know: which of its replicas works, and which clusters' keys are revoked.
LOOKS = Bucket("looks", 256 * MIB, writers=("registry",), readers=("registry",), drops_oldest=True)
# What agents answered last when somebody looked at an application: trees, differences, live objects, Secrets masked by the edge.
BUNDLES = ObjectStore("bundles", 2 * GIB, writers=("renderer",), readers=("renderer", "registry"))

HUB = Topology(
    streams=(DESIRED, STATUS, JOURNAL, EVENTS),
    buckets=(
        CLUSTERS,
        REPOSITORIES,
        POOLS,
        POOL_PRESENCE,
        APPLICATIONS,
        PROJECTS,
        SETS,
        SETTINGS,
        CONDITIONS,
        SOURCES,
        RENDERINGS,
        ARCHIVE,
        STATUSES,
        REGISTRY,
        LOOKS,
    ),
    object_stores=(BUNDLES,),
)
