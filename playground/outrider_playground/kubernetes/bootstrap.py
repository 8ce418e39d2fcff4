"""What a fresh cluster holds, and which controllers it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .controllers.actor import Actor
from .controllers.addresses import SERVICES, IngressController, ServiceController
from .controllers.daemon_set import DaemonSetController
from .controllers.deployment import DeploymentController
from .controllers.job import JobController
from .controllers.node import NODES, NodeController
from .controllers.observers import ObserverController
from .controllers.replica_set import ReplicaSetController
from .controllers.stateful_set import StatefulSetController
from .controllers.volumes import CLASSES, ClaimController
from .custom.definitions import DefinitionController
from .garbage_collection import GarbageCollector
from .namespaces import NAMESPACES, NamespaceController

if TYPE_CHECKING:
    from .controllers.loop import Controller
    from .settings import Settings
    from .state import State

_NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")
DEFAULT_CLASS: Final = "standard"


def controllers_of(state: State, settings: Settings) -> list[Controller]:
    """Return the controllers of a cluster, definitions first: what they define is needed by the rest."""
    return [
        DefinitionController(state),
        DeploymentController(state),
        ReplicaSetController(state),
        StatefulSetController(state),
        DaemonSetController(state),
        JobController(state),
        NodeController(state, settings),
        ClaimController(state),
        ServiceController(state),
        IngressController(state),
        ObserverController(state),
        GarbageCollector(state),
        NamespaceController(state),
    ]


def bootstrap(state: State, settings: Settings) -> None:
    """Create what every cluster has, unless it is there from an earlier run."""
    actor = Actor(state, "kube-apiserver")
    for name in _NAMESPACES:
        actor.create(NAMESPACES, "", {"metadata": {"name": name}})
    actor.create(CLASSES, "", _storage_class())
    actor.create(SERVICES, "default", _api_service())
    for number in range(1, settings.nodes + 1):
        actor.create(NODES, "", _node(f"node-{number}", state.now()))
    state.store.forget_history()


def _storage_class() -> dict[str, Any]:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {
        "metadata": {"name": DEFAULT_CLASS, "annotations": annotations},
        "provisioner": "simulated.example.com/disk",
    }


def _api_service() -> dict[str, Any]:
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]
    return {"metadata": {"name": "kubernetes"}, "spec": {"clusterIP": "10.96.0.1", "ports": ports}}


def _node(name: str, now: str) -> dict[str, Any]:
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
    capacity = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
        "spec": {},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": [condition],
            "nodeInfo": _node_info(),
        },
    }


def _node_info() -> dict[str, str]:
    fields = (
        "machineID",
        "systemUUID",
        "bootID",
        "kernelVersion",
        "osImage",
        "kubeProxyVersion",
        "operatingSystem",
        "architecture",
    )
    return {
        **dict.fromkeys(fields, "simulated"),
        "containerRuntimeVersion": "simulated://1",
        "kubeletVersion": "v1.36.0",
    }
