"""Which application an object belongs to, written on the object itself.

The annotation `argocd.argoproj.io/tracking-id: <app>:<group>/<kind>:<namespace>/<name>` is Argo CD's; the
label `app.outrider.dev/name` is what watches select by. An object is an application's only when both name
that application and the annotation names this very object: an object that somebody copied, labels and all, is
nobody's.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from outrider.manifests.names import Key, Object, key_of

if TYPE_CHECKING:
    from collections.abc import Mapping

LABEL = "app.outrider.dev/name"
ANNOTATION = "argocd.argoproj.io/tracking-id"
# Kubernetes' limit for a label value, in characters.
_LABEL_LIMIT = 63


def tracking_id(app: str, key: Key) -> str:
    """Return the annotation's value for an object of an application."""
    return f"{app}:{key.group}/{key.kind}:{key.namespace}/{key.name}"


def label_value(app: str) -> str:
    """Return the label's value for an application: its name, or a part and a digest of one that is too
    long.
    """
    if len(app) <= _LABEL_LIMIT:
        return app
    digest = hashlib.sha256(app.encode()).hexdigest()[:10]
    return f"{app[: _LABEL_LIMIT - 11].rstrip('-._')}-{digest}"


def tracked(manifest: Object, app: str, key: Key) -> Object:
    """Return the manifest with annotation and label of the application; the given one is left as it is."""
    metadata = manifest.get("metadata") or {}
    return {
        **manifest,
        "metadata": {
            **metadata,
            "annotations": {**(metadata.get("annotations") or {}), ANNOTATION: tracking_id(app, key)},
            "labels": {**(metadata.get("labels") or {}), LABEL: label_value(app)},
        },
    }


def claimed_by(live: Mapping[str, Any]) -> str | None:
    """Return the application that the object names, whether or not annotation and label agree."""
    metadata = live.get("metadata") or {}
    app, _, rest = str((metadata.get("annotations") or {}).get(ANNOTATION) or "").partition(":")
    return app if app and rest else (metadata.get("labels") or {}).get(LABEL)


def tracked_to(live: Mapping[str, Any]) -> str | None:
    """Return the application whose object this is: label and annotation agree, and on this very object."""
    metadata = live.get("metadata") or {}
    app, _, rest = str((metadata.get("annotations") or {}).get(ANNOTATION) or "").partition(":")
    if not app or (metadata.get("labels") or {}).get(LABEL) != label_value(app):
        return None
    kind, _, place = rest.partition(":")
    group, _, kind = kind.rpartition("/")
    namespace, _, name = place.partition("/")
    key = key_of(live)
    # Argo CD writes the destination's namespace for a cluster-scoped object.
    same_place = namespace == key.namespace or not key.namespace
    return app if (group, kind, name) == (key.group, key.kind, key.name) and same_place else None
