"""An application's desired objects as its cluster applies them, from the bundle at the hub; without the values of Secrets. Pure.

What the edge adds is added here too: the destination's namespace, tracking annotation and label. Hooks are no desired objects: they are
run, not kept.
"""

from collections.abc import Iterable

from outrider.manifests.mask import masked
from outrider.manifests.names import Key, Object, flat, kind_of
from outrider.manifests.phases import UnknownHook, phases_of
from outrider.manifests.placing import Place, Scope
from outrider.manifests.tracking import tracked


def desired_objects(app: str, manifests: Iterable[Object], namespace: str, scope: Scope) -> dict[Key, Object]:
    """Return the objects by name, in the order of the bundle, a Secret without its values; of the same one twice, the later.

    `namespace`: the destination's.
    """
    whole = list(flat(manifests))
    place = Place.of(namespace, scope, whole)
    found: dict[Key, Object] = {}
    for manifest in whole:
        if _is_object(manifest):
            key, placed = place.put(manifest, kind_of(manifest))
            (hidden,) = masked(tracked(placed, app, key))
            found[key] = hidden or {}
    return found


def _is_object(manifest: Object) -> bool:
    """Whether the edge makes an object of it; what it reports as a problem is none."""
    metadata, kind = manifest.get("metadata"), kind_of(manifest)
    if not (kind.kind and kind.version and isinstance(metadata, dict) and metadata.get("name")):
        return False
    if not all(isinstance(metadata.get(part) or {}, dict) for part in ("annotations", "labels")):
        return False
    try:
        return phases_of(manifest) is None
    except UnknownHook:
        return False
