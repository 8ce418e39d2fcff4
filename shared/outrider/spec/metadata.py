"""An Application's metadata: names are checked, what a cluster added to a pasted manifest is dropped."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from outrider.names import app_name
from outrider.spec.model import Model, refused

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
# What would change how Argo CD treats an application; other annotations of its own only save it work.
_WITHOUT_EFFECT = {"argocd.argoproj.io/skip-reconcile", "argocd.argoproj.io/refresh"}
_SERVER_FIELDS = (
    "managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink",
    "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip


def _finalizer(text: str) -> str:
    if text not in _CASCADE_FINALIZERS | _HOOK_FINALIZERS:
        raise ValueError(f"{text!r} is not supported: nothing here would ever remove it; remove it")
    return text


class Metadata(Model):
    """Name, labels and annotations of an Application."""

    name: Annotated[str, AfterValidator(app_name)]
    namespace: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[Annotated[str, AfterValidator(_finalizer)]] = Field(default=[], max_length=16)
    generate_name: Annotated[None, refused("is not supported: give metadata.name")] = None

    @property
    def cascades(self) -> bool:
        """Whether the objects go when the application is deleted: Argo CD's finalizer says so."""
        return not _CASCADE_FINALIZERS.isdisjoint(self.finalizers)


def cleaned(metadata: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return metadata without what a cluster and kubectl add, and warnings about what was dropped besides."""
    warnings = []
    kept = {key: value for key, value in metadata.items() if key not in _SERVER_FIELDS}
    if kept.pop("ownerReferences", None):
        warnings.append("metadata.ownerReferences: dropped; an application here belongs to nothing")
    annotations = kept.get("annotations")
    if isinstance(annotations, dict):
        kept["annotations"] = {key: value for key, value in annotations.items() if key != LAST_APPLIED}
        for key in sorted(str(key) for key in annotations):
            if key.startswith(OUTRIDER_PREFIX):
                warnings.append(f"metadata.annotations[{key}]: unknown, so it has no effect")
            elif key in _WITHOUT_EFFECT:
                warnings.append(f"metadata.annotations[{key}]: has no effect yet")
    return {key: value for key, value in kept.items() if value not in (None, {}, [])}, warnings
