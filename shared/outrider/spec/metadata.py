"""An Application's metadata: names are checked, what a cluster added to a pasted manifest is dropped."""

from typing import Annotated, Any, Literal, TypeGuard, get_args

from pydantic import AfterValidator, Field, field_validator

from outrider.names import app_name
from outrider.spec.model import Model, refused
from outrider.spec.sync_policy import duration

Propagation = Literal["foreground", "background"]
RenderPlace = Literal["edge", "hub"]

CASCADE_FINALIZER = "resources-finalizer.argocd.argoproj.io"
_CASCADE_FINALIZERS = {
    CASCADE_FINALIZER,
    f"{CASCADE_FINALIZER}/background",
    f"{CASCADE_FINALIZER}/foreground",
}
# Argo CD adds these by itself for hooks that run on deletion; pasted manifests hold them.
_HOOK_FINALIZERS = {
    f"{when}-delete-finalizer.argocd.argoproj.io{part}"
    for when in ("pre", "post")
    for part in ("", "/cleanup")
}

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
OUTRIDER_PREFIX = "outrider.dev/"
REFRESH = "argocd.argoproj.io/refresh"
# A request written as an annotation: Argo CD carries it out and takes it away again.
SYNC_TIMEOUT = "outrider.dev/sync-timeout"
URGENT = "outrider.dev/urgent"
# What is desired goes through holds of the site.
EDGE_ANNOTATIONS = frozenset(
    {
        "argocd.argoproj.io/sync-options",
        "argocd.argoproj.io/compare-options",
        "argocd.argoproj.io/skip-reconcile",
        "argocd.argoproj.io/deletion-approved",
        SYNC_TIMEOUT,
        URGENT,
    }
)
# What an agent has to know of an application's annotations; the others stay at the hub.
RENDER = "outrider.dev/render"
# Where an application is rendered; on a cluster, where those are that don't say so.
HUB_ANNOTATIONS = frozenset({RENDER})
# What the hub acts by.
_SERVER_FIELDS = (
    "managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink",
    "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip


def _finalizer(text: str) -> str:
    if text not in _CASCADE_FINALIZERS | _HOOK_FINALIZERS:
        raise ValueError(f"{text!r} is not supported: nothing here would ever remove it; remove it")
    return text


def cascades(manifest: dict[str, Any]) -> bool:
    """Tell whether the objects of a stored application go when it is deleted, whichever version stored it."""
    metadata = manifest.get("metadata")
    finalizers = metadata.get("finalizers") if isinstance(metadata, dict) else None
    return not _CASCADE_FINALIZERS.isdisjoint(finalizers or ())


def propagation(finalizers: list[str]) -> Propagation:
    """Return how objects go: those that they own first (foreground, Argo CD's default), or after them."""
    return "background" if f"{CASCADE_FINALIZER}/background" in finalizers else "foreground"


class Metadata(Model):
    """Name, labels and annotations of an Application."""

    name: Annotated[str, AfterValidator(app_name)]
    namespace: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[Annotated[str, AfterValidator(_finalizer)]] = Field(default=[], max_length=16)
    generate_name: Annotated[None, refused("is not supported: give metadata.name")] = None

    @field_validator("annotations")
    @classmethod
    def _sync_timeout(cls, annotations: dict[str, str]) -> dict[str, str]:
        if SYNC_TIMEOUT in annotations:
            duration(annotations[SYNC_TIMEOUT])
        return annotations

    @field_validator("annotations")
    @classmethod
    def _render(cls, annotations: dict[str, str]) -> dict[str, str]:
        if RENDER in annotations and not is_render_place(annotations[RENDER]):
            raise ValueError(f"{RENDER} is edge or hub, not {annotations[RENDER][:40]!r}")
        return annotations

    @field_validator("annotations")
    @classmethod
    def _urgent(cls, annotations: dict[str, str]) -> dict[str, str]:
        if annotations.get(URGENT, "false") not in ("true", "false"):
            raise ValueError(f'{URGENT} is "true" or "false", not {annotations[URGENT][:40]!r}')
        return annotations

    @property
    def cascades(self) -> bool:
        """Whether the objects go when the application is deleted: Argo CD's finalizer says so."""
        return not _CASCADE_FINALIZERS.isdisjoint(self.finalizers)

    @property
    def propagation(self) -> Propagation:
        """How its objects go when they do."""
        return propagation(self.finalizers)

    def for_edge(self) -> dict[str, str]:
        """Return the annotations that an agent has to know."""
        return {key: value for key, value in self.annotations.items() if key in EDGE_ANNOTATIONS}


def is_render_place(text: str) -> TypeGuard[RenderPlace]:
    """Tell whether a text says where to render."""
    return text in get_args(RenderPlace)


def cleaned(metadata: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return metadata without what a cluster and kubectl add, and warnings about what was dropped besides."""
    warnings = []
    kept = {key: value for key, value in metadata.items() if key not in _SERVER_FIELDS}
    if kept.pop("ownerReferences", None):
        warnings.append("metadata.ownerReferences: dropped; an application here belongs to nothing")
    annotations = kept.get("annotations")
    if isinstance(annotations, dict):
        kept["annotations"] = {
            key: value for key, value in annotations.items() if key not in (LAST_APPLIED, REFRESH)
        }
        for key in sorted(str(key) for key in annotations):
            if key.startswith(OUTRIDER_PREFIX) and key not in EDGE_ANNOTATIONS | HUB_ANNOTATIONS:
                warnings.append(f"metadata.annotations[{key}]: unknown, so it has no effect")
    return {key: value for key, value in kept.items() if value not in (None, {}, [])}, warnings
