"""The one manifest that brings an agent up on an edge cluster: `kubectl apply -f` and nothing else.

The agent applies whatever its applications hold, so its rights are the cluster's; whoever wants less narrows the ClusterRole
to what the applications of the site need. What the agent needs for itself, it has by a Role in its own namespace. The Pod itself
asks for nothing: no root, no writable file system, no port.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outrider.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from outrider.identity.credentials import Credentials

NAME = "outrider-agent"
HOLD = "outrider-hold"
# `edge_agent.hold`: the ConfigMap by which the site holds.
IMAGE = f"outrider-agent:{VERSION}"
RENDERING_IMAGE = f"outrider-agent-rendering:{VERSION}"
# With all that pulls Git and renders.
_USER_ID = 65532
_CREDENTIALS = "/etc/outrider/credentials"
_STATE = "/var/lib/outrider"
_REPLICA_SIZE = "1Gi"
# Records and bundles of all applications of one cluster, compressed: far more than is needed, and less than many provisioners
# hand out at least.
_CLONES_SIZE = "4Gi"
# With clones (of the newest commits alone) and charts beside them.


@dataclass(frozen=True)
class Placement:
    """How an agent runs on its cluster. `ephemeral`: its replica may be lost with the Pod; `renders`: it pulls Git itself."""

    image: str = IMAGE
    namespace: str = "outrider"
    ephemeral: bool = False
    renders: bool = False


def as_yaml(manifests: Iterable[dict[str, Any]]) -> str:
    """Return the manifests as one file."""
    from outrider_cli import yaml_text

    return yaml_text.dump_all(manifests)


def objects(credentials: Credentials, placed: Placement) -> list[dict[str, Any]]:
    """Return the manifests, in an order in which they can be applied."""
    claim = [] if placed.ephemeral else [_claim(placed)]
    return [
        _namespace(placed),
        _service_account(placed),
        _role(),
        _binding(placed),
        _secret(credentials, placed),
        _own_role(placed),
        _own_binding(placed),
        *claim,
        _deployment(credentials.user.name, placed),
    ]


def _metadata(placed: Placement | None = None, name: str = NAME) -> dict[str, Any]:
    namespace = {"namespace": placed.namespace} if placed else {}
    return {
        "name": name,
        **namespace,
        "labels": {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "outrider"},
    }


def _namespace(placed: Placement) -> dict[str, Any]:
    metadata = _metadata(name=placed.namespace)
    metadata["labels"]["pod-security.kubernetes.io/enforce"] = "restricted"
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _service_account(placed: Placement) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(placed)}


def _role() -> dict[str, Any]:
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    # Needed to grant the same to others: an application may hold a ClusterRole that names such paths.
    paths = {"nonResourceURLs": ["*"], "verbs": ["*"]}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": _metadata(),
        "rules": [everything, paths],
    }


def _binding(placed: Placement) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": _metadata(),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": placed.namespace}],
    }


def _own_role(placed: Placement) -> dict[str, Any]:
    look = {"apiGroups": [""], "verbs": ["get", "list", "watch"]}
    # How repositories are reached that the agent pulls itself, if there are any.
    secrets = {**look, "resources": ["secrets"]}
    # The one ConfigMap by which the site holds.
    hold = {**look, "resources": ["configmaps"], "resourceNames": [HOLD]}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": _metadata(placed),
        "rules": [secrets, hold],
    }


def _own_binding(placed: Placement) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": _metadata(placed),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": placed.namespace}],
    }


def _secret(credentials: Credentials, placed: Placement) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(placed, f"{NAME}-credentials"),
        "type": "Opaque",
        "stringData": {"credentials": credentials.format()},
    }


def _claim(placed: Placement) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _metadata(placed),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": _CLONES_SIZE if placed.renders else _REPLICA_SIZE}},
        },
    }


def _deployment(cluster: str, placed: Placement) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": NAME}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**_metadata(placed), "annotations": {"outrider.dev/cluster": cluster}},
        "spec": {
            "replicas": 1,
            # Two agents with one identity and one replica would undo each other's work.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": {**labels, "app.kubernetes.io/part-of": "outrider"}},
                "spec": _pod(placed),
            },
        },
    }


def _pod(placed: Placement) -> dict[str, Any]:
    state = {"emptyDir": {}} if placed.ephemeral else {"persistentVolumeClaim": {"claimName": NAME}}
    return {
        "serviceAccountName": NAME,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER_ID,
            "runAsGroup": _USER_ID,
            "fsGroup": _USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(placed)],
        "volumes": [
            {"name": "credentials", "secret": {"secretName": f"{NAME}-credentials", "defaultMode": 0o440}},
            {"name": "state", **state},
            {"name": "tmp", "emptyDir": {}},
        ],
    }


def _container(placed: Placement) -> dict[str, Any]:
    # An agent without a replica on disk goes on in memory, and one without its hub on its own: both are to be seen, and no
    # reason to end what runs.
    has_replica = {"exec": {"command": ["test", "-s", f"{_STATE}/replica.sqlite"]}}
    return {
        "name": "agent",
        "image": placed.image,
        "command": ["python", "-m", "edge_agent"],
        "env": [
            {"name": "OUTRIDER_CREDENTIALS", "value": _CREDENTIALS},
            {"name": "OUTRIDER_STATE", "value": _STATE},
        ],
        "resources": {
            "requests": {"cpu": "20m", "memory": "128Mi" if placed.renders else "64Mi"},
            # One rendering may take 768 MiB (`outrider.rendering.settings`).
            "limits": {"cpu": "1", "memory": "1Gi" if placed.renders else "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "readinessProbe": {**has_replica, "periodSeconds": 60},
        "volumeMounts": [
            {"name": "credentials", "mountPath": "/etc/outrider", "readOnly": True},
            {"name": "state", "mountPath": _STATE},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a path inside the container, its own volume
        ],
    }
