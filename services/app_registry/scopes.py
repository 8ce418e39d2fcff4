"""Which kinds have a namespace, as far as the hub can tell without asking a cluster. Pure.

What a cluster reports of an application's objects says it of their kinds. For kinds that it has not reported, the API of Kubernetes
itself is known, and a definition in the bundle speaks for its own (`outrider.manifests.placing`); any other has a namespace.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from outrider.manifests.names import Kind
from outrider.manifests.placing import Scope

_CLUSTER_SCOPED = frozenset(
    {
        ("", "Namespace"),
        ("", "Node"),
        ("", "PersistentVolume"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("certificates.k8s.io", "ClusterTrustBundle"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("networking.k8s.io", "IPAddress"),
        ("networking.k8s.io", "IngressClass"),
        ("networking.k8s.io", "ServiceCIDR"),
        ("node.k8s.io", "RuntimeClass"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("resource.k8s.io", "DeviceClass"),
        ("resource.k8s.io", "ResourceSlice"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "CSINode"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttachment"),
        ("storage.k8s.io", "VolumeAttributesClass"),
    }
)


def scope_of(resources: Iterable[Mapping[str, Any]]) -> Scope:
    """Return what says whether a kind is namespaced, given the objects in a status document."""
    reported = {(one.get("group"), one.get("kind")): bool(one.get("namespace")) for one in resources}

    def namespaced(kind: Kind) -> bool | None:
        name = kind.group, kind.kind
        return reported.get(name, False if name in _CLUSTER_SCOPED else None)

    return namespaced
