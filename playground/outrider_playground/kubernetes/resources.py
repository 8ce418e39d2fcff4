"""The resources that a cluster serves: their names, kinds, verbs, subresources and types."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

from .schema import Schema, builtin_kinds, named

if TYPE_CHECKING:
    from .custom.types import CustomType

ALL_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
READ_WRITE: Final = ("get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Subresource:
    """A part of a resource with a path of its own. `group` and `version` are set where its kind is not of the parent's."""

    name: str
    kind: str
    verbs: tuple[str, ...] = READ_WRITE
    group: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One resource in one version. Two versions of a resource share their objects: `storage` is what they are kept under."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    schema: Schema
    singular: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[Subresource, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    list_kind: str = ""
    storage_version: str = ""
    custom: CustomType | None = None
    storage: tuple[str, str] = field(init=False)
    api_version: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "storage", (self.group, self.plural))
        object.__setattr__(
            self, "api_version", f"{self.group}/{self.version}" if self.group else self.version
        )
        object.__setattr__(self, "list_kind", self.list_kind or f"{self.kind}List")

    def subresource(self, name: str) -> Subresource | None:
        """Find a subresource by name."""
        return next((each for each in self.subresources if each.name == name), None)

    @property
    def has_status(self) -> bool:
        """Whether status is written through a path of its own."""
        return self.subresource("status") is not None

    def storage_hash(self) -> str:
        """Return the hash by which clients tell whether two versions store the same."""
        identity = f"{self.group}/{self.storage_version or self.version}/{self.kind}"
        return base64.b64encode(hashlib.sha256(identity.encode()).digest()[:8]).decode()


# plural, kind, n(amespaced) or c(luster), short names, categories, subresources; "-" for none
_BUILTIN: Final = {
    "v1": """
        bindings Binding n - - -
        componentstatuses ComponentStatus c cs - -
        configmaps ConfigMap n cm - -
        endpoints Endpoints n ep - -
        events Event n ev - -
        limitranges LimitRange n limits - -
        namespaces Namespace c ns - finalize,status
        nodes Node c no - proxy,status
        persistentvolumeclaims PersistentVolumeClaim n pvc - status
        persistentvolumes PersistentVolume c pv - status
        pods Pod n po all attach,binding,ephemeralcontainers,eviction,exec,log,portforward,proxy,resize,status
        podtemplates PodTemplate n - - -
        replicationcontrollers ReplicationController n rc all scale,status
        resourcequotas ResourceQuota n quota - status
        secrets Secret n - - -
        serviceaccounts ServiceAccount n sa - token
        services Service n svc all proxy,status
    """,
    "apps/v1": """
        controllerrevisions ControllerRevision n - - -
        daemonsets DaemonSet n ds all status
        deployments Deployment n deploy all scale,status
        replicasets ReplicaSet n rs all scale,status
        statefulsets StatefulSet n sts all scale,status
    """,
    "batch/v1": """
        cronjobs CronJob n cj all status
        jobs Job n - all status
    """,
    "autoscaling/v2": "horizontalpodautoscalers HorizontalPodAutoscaler n hpa all status",
    "networking.k8s.io/v1": """
        ingressclasses IngressClass c - - -
        ingresses Ingress n ing - status
        networkpolicies NetworkPolicy n netpol - -
    """,
    "policy/v1": "poddisruptionbudgets PodDisruptionBudget n pdb - status",
    "rbac.authorization.k8s.io/v1": """
        clusterrolebindings ClusterRoleBinding c - - -
        clusterroles ClusterRole c - - -
        rolebindings RoleBinding n - - -
        roles Role n - - -
    """,
    "storage.k8s.io/v1": """
        csidrivers CSIDriver c - - -
        csinodes CSINode c - - -
        csistoragecapacities CSIStorageCapacity n - - -
        storageclasses StorageClass c sc - -
        volumeattachments VolumeAttachment c - - status
    """,
    "scheduling.k8s.io/v1": "priorityclasses PriorityClass c pc - -",
    "coordination.k8s.io/v1": "leases Lease n - - -",
    "discovery.k8s.io/v1": "endpointslices EndpointSlice n - - -",
    "node.k8s.io/v1": "runtimeclasses RuntimeClass c - - -",
    "admissionregistration.k8s.io/v1": """
        mutatingwebhookconfigurations MutatingWebhookConfiguration c - api-extensions -
        validatingadmissionpolicies ValidatingAdmissionPolicy c - api-extensions status
        validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding c - api-extensions -
        validatingwebhookconfigurations ValidatingWebhookConfiguration c - api-extensions -
    """,
    "apiextensions.k8s.io/v1": "customresourcedefinitions CustomResourceDefinition c crd,crds api-extensions status",
    "apiregistration.k8s.io/v1": "apiservices APIService c - api-extensions status",
    "certificates.k8s.io/v1": "certificatesigningrequests CertificateSigningRequest c csr - approval,status",
    "flowcontrol.apiserver.k8s.io/v1": """
        flowschemas FlowSchema c - - status
        prioritylevelconfigurations PriorityLevelConfiguration c - - status
    """,
    "authorization.k8s.io/v1": """
        localsubjectaccessreviews LocalSubjectAccessReview n - - -
        selfsubjectaccessreviews SelfSubjectAccessReview c - - -
        selfsubjectrulesreviews SelfSubjectRulesReview c - - -
        subjectaccessreviews SubjectAccessReview c - - -
    """,
    "authentication.k8s.io/v1": """
        selfsubjectreviews SelfSubjectReview c - - -
        tokenreviews TokenReview c - - -
    """,
}

_VERBS: Final = {
    "bindings": ("create",),
    "componentstatuses": ("get", "list"),
    "namespaces": ("create", "delete", "get", "list", "patch", "update", "watch"),
}
_PROXY_VERBS: Final = ("create", "delete", *READ_WRITE)
_SUBRESOURCES: Final = {
    "scale": Subresource("scale", "Scale", READ_WRITE, "autoscaling", "v1"),
    "eviction": Subresource("eviction", "Eviction", ("create",), "policy", "v1"),
    "token": Subresource("token", "TokenRequest", ("create",), "authentication.k8s.io", "v1"),
    "binding": Subresource("binding", "Binding", ("create",)),
    "attach": Subresource("attach", "PodAttachOptions", ("create", "get")),
    "exec": Subresource("exec", "PodExecOptions", ("create", "get")),
    "portforward": Subresource("portforward", "PodPortForwardOptions", ("create", "get")),
}
_OWN_VERBS: Final = {"finalize": ("update",), "log": ("get",)}


def _words(text: str) -> tuple[str, ...]:
    return () if text == "-" else tuple(text.split(","))


def _subresource(name: str, kind: str) -> Subresource:
    if name == "proxy":
        return Subresource(name, f"{kind}ProxyOptions", _PROXY_VERBS)
    return _SUBRESOURCES.get(name) or Subresource(name, kind, _OWN_VERBS.get(name, READ_WRITE))


def _builtin(group: str, version: str, line: str) -> Resource:
    plural, kind, scope, short, categories, parts = line.split()
    api_version = f"{group}/{version}" if group else version
    reviews = group in {"authorization.k8s.io", "authentication.k8s.io"}
    return Resource(
        group=group,
        version=version,
        plural=plural,
        kind=kind,
        namespaced=scope == "n",
        schema=named(builtin_kinds()[f"{api_version}/{kind}"]),
        singular=kind.lower(),
        short_names=_words(short),
        categories=_words(categories),
        subresources=tuple(_subresource(name, kind) for name in _words(parts)),
        verbs=("create",) if reviews else _VERBS.get(plural, ALL_VERBS),
    )


@cache
def builtin_resources() -> tuple[Resource, ...]:
    """Return every built-in resource, one set for all clusters of the process."""
    out: list[Resource] = []
    for api_version, lines in _BUILTIN.items():
        group, _, version = api_version.rpartition("/")
        out.extend(_builtin(group, version, line) for line in lines.strip().splitlines())
    return tuple(out)


@cache
def builtin(api_version: str, kind: str) -> Resource:
    """Return a built-in resource by its kind."""
    return next(each for each in builtin_resources() if each.api_version == api_version and each.kind == kind)
