"""When two applications share one rendering.

A rendering is decided by the repository's content, by the source's options, and for Helm alone by the release: its name (the
application's name unless the source says otherwise), its namespace and the Kubernetes version. A plain directory rendered for a
thousand shops is therefore rendered once.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from outrider.spec.source import ApplicationSource, SourceKind

DEFAULT_KUBE_VERSION = "v1.34.0"
# What `.Capabilities.KubeVersion` says for a fleet whose clusters differ: a version that charts of today support.


@dataclass(frozen=True)
class RenderContext:
    """What of an application, beyond its source, can enter a rendering."""

    app_name: str
    namespace: str = ""
    kube_version: str = ""
    project: str = ""
    # Empty: only a release is known, whose name and namespace these are; otherwise they are the application's.


def parameters(source: ApplicationSource, kind: SourceKind) -> dict[str, Any]:
    """Return all options of the source that enter a rendering by `kind`: not the repository, not the revision."""
    tool = getattr(source, kind.value.lower())
    options = tool.model_dump(mode="json", exclude_defaults=True) if tool is not None else {}
    return {"kind": kind.value, "path": source.folder, "options": options}


def release(source: ApplicationSource, context: RenderContext) -> dict[str, str]:
    """Return what a chart sees of the release: its name, its namespace and the cluster's version.

    The application's own name decides which overrides in the repository are meant for it.
    """
    helm = source.helm
    return {
        "app_name": context.app_name,
        "name": (helm.release_name if helm else "") or context.app_name,
        "namespace": (helm.namespace if helm else "") or context.namespace or "default",
        "kube_version": (helm.kube_version if helm else "") or context.kube_version or DEFAULT_KUBE_VERSION,
    }


def rendering_key(source: ApplicationSource, kind: SourceKind, context: RenderContext) -> str:
    """Return the identity of a rendering's parameters: equal keys on equal content give one and the same rendering."""
    identity = parameters(source, kind)
    if kind is SourceKind.HELM:
        identity["release"] = release(source, context)
    return digest(identity)


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
