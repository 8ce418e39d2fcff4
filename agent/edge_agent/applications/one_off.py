"""Ask the server whether it would create an object, whatever there is under its name."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_agent.cluster import Applied, Cluster, Key, Kind, Object

# Beside a digest of ten digits, and what Jobs and Pods append to their own names.
_PREFIX_LIMIT = 40


async def would_be_created(
    cluster: Cluster, kind: Kind, key: Key, manifest: Object, *, strict: bool
) -> Applied:
    """Run a creation dry, under a name that nothing else has. Raises `ClusterError`."""
    digest = hashlib.sha256(str(key).encode()).hexdigest()[:10]
    prefix = str(key.name or manifest["metadata"].get("generateName") or "")[:_PREFIX_LIMIT].rstrip("-.")
    named = key._replace(name=f"{prefix}-{digest}" if prefix else digest)
    metadata = {name: value for name, value in manifest["metadata"].items() if name != "generateName"}
    copy = {**manifest, "metadata": {**metadata, "name": named.name}}
    return await cluster.create(kind, named, copy, dry_run=True, strict=strict)
