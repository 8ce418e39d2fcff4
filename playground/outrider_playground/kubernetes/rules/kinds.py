"""Which rules hold for which kind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..errors import Cause, forbidden_value, invalid_value, required_value
from . import network, pods, workloads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..state import State
    from ..values import Manifest


def _nothing(*_: Any) -> None:
    return None


def _no_causes(*_: Any) -> tuple[Cause, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one kind. `prepare` and `keep` change a fresh object in place, before it is checked."""

    generation: bool = False
    """Whether a change of the spec counts up metadata.generation."""
    annotations_count: bool = False
    """Whether a change of annotations counts it up, too."""
    prepare: Callable[[State, Manifest], None] = _nothing
    keep: Callable[[State, Manifest, Manifest], None] = _nothing
    causes: Callable[[Manifest], Iterator[Cause] | tuple[Cause, ...]] = _no_causes
    change_causes: Callable[[Manifest, Manifest], Iterator[Cause] | tuple[Cause, ...]] = _no_causes
    orphans: bool = False
    """Whether a deletion that does not say otherwise leaves the dependents."""


def _namespace(_state: State, manifest: Manifest) -> None:
    manifest["spec"]["finalizers"] = ["kubernetes"]


def _keep_namespace(_state: State, new: Manifest, old: Manifest) -> None:
    new["spec"] = old["spec"]


def _definition(_state: State, manifest: Manifest) -> None:
    stored = [version["name"] for version in manifest["spec"].get("versions") or () if version.get("storage")]
    manifest["status"] = {
        "conditions": None,
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": stored,
    }


def _definition_causes(manifest: Manifest) -> Iterator[Cause]:
    spec = manifest["spec"]
    names, group = spec["names"], spec.get("group", "")
    for field in ("group", "scope"):
        if not spec.get(field):
            yield required_value(f"spec.{field}")
    for field in ("plural", "singular", "kind", "listKind"):
        if not names.get(field):
            yield required_value(f"spec.names.{field}")
    wanted = f"{names.get('plural')}.{group}"
    if manifest["metadata"]["name"] != wanted:
        yield invalid_value(
            "metadata.name",
            json.dumps(manifest["metadata"]["name"]),
            'must be spec.names.plural+"."+spec.group',
        )
    versions = spec.get("versions") or ()
    if sum(1 for version in versions if version.get("storage")) != 1:
        yield invalid_value(
            "spec.versions",
            json.dumps([each.get("name") for each in versions]),
            "must have exactly one version marked as storage version",
        )
    for place, version in enumerate(versions):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            yield required_value(f"spec.versions[{place}].schema.openAPIV3Schema", "schemas are required")


def _definition_change(old: Manifest, new: Manifest) -> Iterator[Cause]:
    yield from workloads.unchanged(old, new, "group", "scope")


def _frozen(old: Manifest, new: Manifest) -> Iterator[Cause]:
    """Find changes of a Secret or ConfigMap that is marked immutable, and of a Secret's type."""
    if old.get("type") != new.get("type"):
        yield invalid_value("type", json.dumps(new.get("type")), "field is immutable")
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        yield forbidden_value("immutable", "field is immutable when `immutable` is set")
    for field in ("data", "binaryData"):
        if old.get(field) != new.get(field):
            yield forbidden_value(field, "field is immutable when `immutable` is set")


_CLASSES: Final = ("storage.k8s.io", "storageclasses")
_DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"


def _default_class(state: State, manifest: Manifest) -> None:
    """Give a claim that names no class the default one, if there is one."""
    if "storageClassName" in manifest["spec"]:
        return
    for each in state.store.listed(_CLASSES):
        if (each["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true":
            manifest["spec"]["storageClassName"] = each["metadata"]["name"]
            return


def _keep_class(_state: State, new: Manifest, old: Manifest) -> None:
    if "storageClassName" in old["spec"]:
        new["spec"].setdefault("storageClassName", old["spec"]["storageClassName"])
    if "volumeName" in old["spec"]:
        new["spec"].setdefault("volumeName", old["spec"]["volumeName"])


def _claim_causes(manifest: Manifest) -> Iterator[Cause]:
    spec = manifest["spec"]
    if not spec.get("accessModes"):
        yield required_value("spec.accessModes", "at least 1 access mode is required")
    if not (spec["resources"].get("requests") or {}).get("storage"):
        yield required_value("spec.resources[storage]")


def _claim_change(old: Manifest, new: Manifest) -> Iterator[Cause]:
    may_change = ("resources", "volumeAttributesClassName", "volumeName")
    before, after = (
        {key: value for key, value in each["spec"].items() if key not in may_change} for each in (old, new)
    )
    if before != after:
        yield forbidden_value(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        )


def _role_change(old: Manifest, new: Manifest) -> Iterator[Cause]:
    if old.get("roleRef") != new.get("roleRef"):
        yield invalid_value("roleRef", json.dumps(new.get("roleRef")), "cannot change roleRef")


def _class_change(old: Manifest, new: Manifest) -> Iterator[Cause]:
    for field in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"):
        if old.get(field) != new.get(field):
            yield forbidden_value(field, f"updates to {field} are forbidden.")


_COUNTED: Final = Rules(generation=True)
_CONTROLLER: Final = Rules(
    generation=True, causes=workloads.controller_causes, change_causes=workloads.selector_change
)
_RBAC: Final = "rbac.authorization.k8s.io"

_RULES: Final[dict[tuple[str, str], Rules]] = {
    ("", "namespaces"): Rules(prepare=_namespace, keep=_keep_namespace),
    ("", "pods"): Rules(generation=True, prepare=pods.admit, causes=pods.pod_causes),
    ("", "services"): Rules(
        prepare=network.give_address,
        keep=network.keep_address,
        causes=network.service_causes,
        change_causes=network.service_change,
    ),
    ("", "configmaps"): Rules(change_causes=_frozen),
    ("", "secrets"): Rules(change_causes=_frozen),
    ("", "persistentvolumeclaims"): Rules(
        prepare=_default_class, keep=_keep_class, causes=_claim_causes, change_causes=_claim_change
    ),
    ("", "replicationcontrollers"): Rules(generation=True, orphans=True),
    ("apps", "deployments"): Rules(
        generation=True,
        annotations_count=True,
        causes=workloads.controller_causes,
        change_causes=workloads.selector_change,
    ),
    ("apps", "replicasets"): _CONTROLLER,
    ("apps", "daemonsets"): _CONTROLLER,
    ("apps", "statefulsets"): Rules(
        generation=True, causes=workloads.controller_causes, change_causes=workloads.stateful_set_change
    ),
    ("batch", "jobs"): Rules(
        generation=True,
        prepare=workloads.label_job,
        causes=workloads.job_causes,
        change_causes=workloads.job_change,
        orphans=True,
    ),
    ("batch", "cronjobs"): Rules(generation=True, causes=workloads.cron_job_causes),
    ("networking.k8s.io", "ingresses"): Rules(generation=True, causes=network.ingress_causes),
    ("networking.k8s.io", "ingressclasses"): _COUNTED,
    ("networking.k8s.io", "networkpolicies"): _COUNTED,
    ("policy", "poddisruptionbudgets"): _COUNTED,
    ("scheduling.k8s.io", "priorityclasses"): _COUNTED,
    ("discovery.k8s.io", "endpointslices"): _COUNTED,
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"): _COUNTED,
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"): _COUNTED,
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"): _COUNTED,
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"): _COUNTED,
    ("storage.k8s.io", "storageclasses"): Rules(change_causes=_class_change),
    (_RBAC, "rolebindings"): Rules(change_causes=_role_change),
    (_RBAC, "clusterrolebindings"): Rules(change_causes=_role_change),
    ("apiextensions.k8s.io", "customresourcedefinitions"): Rules(
        generation=True, prepare=_definition, causes=_definition_causes, change_causes=_definition_change
    ),
}
_PLAIN: Final = Rules()


def rules_of(storage: tuple[str, str], *, custom: bool = False) -> Rules:
    """Return the rules of a resource; those of a custom resource are in its schema."""
    return _COUNTED if custom else _RULES.get(storage, _PLAIN)
