"""Names of clusters, pools and applications, and their form as one token of a subject.

Every name that enters a subject or a JWT passes through here: a cluster called `*` would read the whole fleet.
"""

import re
from typing import NewType

ClusterName = NewType("ClusterName", str)
AppName = NewType("AppName", str)
PoolName = NewType("PoolName", str)

DEFAULT_POOL = PoolName("default")
# The hub's own renderers: they serve every repository that names no pool.

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN_MAX_CHARS = 253
# RFC 1123: the longest DNS name.


class InvalidName(ValueError):
    """A name that may not be used; `kind` says what it would have named."""

    def __init__(self, kind: str, name: str, rule: str) -> None:
        self.kind, self.name, self.rule = kind, name, rule
        super().__init__(f"{kind} name {name[:80]!r} is not allowed: {rule}")


def cluster_name(name: str) -> ClusterName:
    """Return `name` if it is a DNS label (RFC 1123); InvalidName otherwise."""
    return ClusterName(_label("cluster", name))


def pool_name(name: str) -> PoolName:
    """Return `name` if it is a DNS label (RFC 1123), as a cluster's is; InvalidName otherwise."""
    return PoolName(_label("pool", name))


def app_name(name: str) -> AppName:
    """Return `name` if it is a DNS subdomain (RFC 1123), as Kubernetes names are; InvalidName otherwise."""
    return AppName(_subdomain("application", name))


def project_name(name: str) -> str:
    """Return `name` if it is a DNS subdomain (RFC 1123), as Kubernetes names are; InvalidName otherwise."""
    return _subdomain("project", name)


def _label(kind: str, name: str) -> str:
    if not _LABEL.fullmatch(name):
        rule = "use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"
        raise InvalidName(kind, name, rule)
    return name


def _subdomain(kind: str, name: str) -> str:
    if len(name) > _SUBDOMAIN_MAX_CHARS or not all(_LABEL.fullmatch(part) for part in name.split(".")):
        rule = "use lower-case letters, digits, '-' and '.', as in a DNS name"
        raise InvalidName(kind, name, rule)
    return name


def token(name: str) -> str:
    """Return a checked name as one subject token: `.` becomes `_`, which no DNS name holds."""
    return name.replace(".", "_")


def from_token(text: str) -> str:
    """Invert `token`."""
    return text.replace("_", ".")
