"""The agent's cluster: credentials, discovery, raw requests and watches. Nothing else imports
kubernetes-asyncio.
"""

from edge_agent.cluster.access import Access, NoAccess
from edge_agent.cluster.api import (
    FIELD_MANAGER,
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Applied,
    Cluster,
    Event,
    Page,
)
from edge_agent.cluster.discovery import Discovery
from edge_agent.cluster.errors import (
    AlreadyExists,
    ClusterError,
    Conflict,
    Expired,
    FieldCause,
    Forbidden,
    InvalidObject,
    NotFound,
    Refused,
    Throttled,
    Transient,
    Unauthorized,
    Unavailable,
    UnknownKind,
)
from edge_agent.cluster.follow import Follower, Pace, follow
from edge_agent.cluster.names import Key, Kind, Object, Resource, key_of, kind_of
from edge_agent.cluster.transport import Limits

__all__ = [
    "FIELD_MANAGER",
    "JSON_PATCH",
    "MERGE",
    "STRATEGIC",
    "Access",
    "AlreadyExists",
    "Applied",
    "Cluster",
    "ClusterError",
    "Conflict",
    "Discovery",
    "Event",
    "Expired",
    "FieldCause",
    "Follower",
    "Forbidden",
    "InvalidObject",
    "Key",
    "Kind",
    "Limits",
    "NoAccess",
    "NotFound",
    "Object",
    "Pace",
    "Page",
    "Refused",
    "Resource",
    "Throttled",
    "Transient",
    "Unauthorized",
    "Unavailable",
    "UnknownKind",
    "follow",
    "key_of",
    "kind_of",
]
