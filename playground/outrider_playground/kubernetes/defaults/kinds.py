"""Which function fills in which kind."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from . import network, pods, storage, workloads

if TYPE_CHECKING:
    from collections.abc import Callable

_RBAC: Final = "rbac.authorization.k8s.io"


def _secret(manifest: dict[str, Any]) -> None:
    plain = manifest.pop("stringData", None)
    if plain:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        manifest["data"] = {**manifest.get("data", {}), **encoded}
    manifest.setdefault("type", "Opaque")


def _namespace(manifest: dict[str, Any]) -> None:
    name = manifest["metadata"].get("name")
    if name:
        manifest["metadata"]["labels"] = {
            **manifest["metadata"].get("labels", {}),
            "kubernetes.io/metadata.name": name,
        }
    manifest["status"].setdefault("phase", "Active")


def _binding(manifest: dict[str, Any]) -> None:
    manifest["roleRef"]["apiGroup"] = manifest["roleRef"].get("apiGroup") or _RBAC
    for subject in manifest.get("subjects") or ():
        if subject.get("kind") in {"User", "Group"}:
            subject.setdefault("apiGroup", _RBAC)


def _custom_resource_definition(manifest: dict[str, Any]) -> None:
    spec = manifest["spec"]
    spec.setdefault("conversion", {}).setdefault("strategy", "None")
    names = spec["names"]
    if names.get("kind"):
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")


def _priority_class(manifest: dict[str, Any]) -> None:
    manifest.setdefault("preemptionPolicy", "PreemptLowerPriority")


def _pod_template(manifest: dict[str, Any]) -> None:
    pods.template(manifest["template"])


_FILLERS: Final[dict[tuple[str, str], Callable[[dict[str, Any]], None]]] = {
    ("", "pods"): pods.pod,
    ("", "podtemplates"): _pod_template,
    ("", "replicationcontrollers"): workloads.replica_set,
    ("", "secrets"): _secret,
    ("", "namespaces"): _namespace,
    ("", "services"): network.service,
    ("", "endpoints"): network.endpoints,
    ("", "persistentvolumeclaims"): storage.claim,
    ("", "persistentvolumes"): storage.volume,
    ("apps", "deployments"): workloads.deployment,
    ("apps", "replicasets"): workloads.replica_set,
    ("apps", "statefulsets"): workloads.stateful_set,
    ("apps", "daemonsets"): workloads.daemon_set,
    ("batch", "jobs"): workloads.job,
    ("batch", "cronjobs"): workloads.cron_job,
    ("autoscaling", "horizontalpodautoscalers"): workloads.autoscaler,
    ("networking.k8s.io", "networkpolicies"): network.network_policy,
    ("networking.k8s.io", "ingressclasses"): network.ingress_class,
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"): network.webhooks,
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"): network.webhooks,
    (_RBAC, "rolebindings"): _binding,
    (_RBAC, "clusterrolebindings"): _binding,
    ("storage.k8s.io", "storageclasses"): storage.storage_class,
    ("storage.k8s.io", "csidrivers"): storage.csi_driver,
    ("scheduling.k8s.io", "priorityclasses"): _priority_class,
    ("apiextensions.k8s.io", "customresourcedefinitions"): _custom_resource_definition,
}


def fill_in(storage_key: tuple[str, str], manifest: dict[str, Any]) -> None:
    """Fill in what a freshly decoded object of this resource leaves open."""
    filler = _FILLERS.get(storage_key)
    if filler is not None:
        filler(manifest)
