"""Addresses that come from outside or from pods: load balancers, ingresses, and the endpoints of services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..resources import builtin
from ..selectors import from_label_selector, matches
from .actor import Actor
from .loop import Controller
from .owners import controlled, reference
from .pod_state import is_ready
from .replica_set import PODS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..state import State
    from ..store import Change, Key
    from ..values import Manifest

SERVICES: Final = builtin("v1", "Service")
SLICES: Final = builtin("discovery.k8s.io/v1", "EndpointSlice")
INGRESSES: Final = builtin("networking.k8s.io/v1", "Ingress")
_OUTSIDE: Final = "203.0.113.1"


class ServiceController(Controller):
    """Gives load balancers an address, and keeps an EndpointSlice for each Service with a selector."""

    watches = (SERVICES.storage, PODS.storage)

    def __init__(self, state: State) -> None:
        self._state = state
        self._actor = Actor(state)

    def keys(self, change: Change) -> Iterable[Key]:
        """Name the Service, or those that select a pod that changed."""
        if change.storage == SERVICES.storage:
            return [change.key]
        return [
            (service["metadata"]["namespace"], service["metadata"]["name"])
            for service in self._state.store.listed(SERVICES.storage, change.key[0])
            if _selects(service, change.manifest)
        ]

    def reconcile(self, key: Key) -> float | None:
        """Bring address and endpoints up to date."""
        live = self._state.store.get(SERVICES.storage, key)
        if live is None or live["metadata"].get("deletionTimestamp"):
            return None
        if live["spec"]["type"] == "LoadBalancer" and not live["status"]["loadBalancer"].get("ingress"):
            live = self._actor.update_status(
                SERVICES, live, {"loadBalancer": {"ingress": [{"ip": _OUTSIDE, "ipMode": "VIP"}]}}
            )
        if live["spec"].get("selector"):
            self._keep_slice(live)
        return None

    def _keep_slice(self, live: Manifest) -> None:
        namespace = live["metadata"]["namespace"]
        pods = [pod for pod in self._state.store.listed(PODS.storage, namespace) if _selects(live, pod)]
        endpoints = [
            _endpoint(pod)
            for pod in pods
            if pod["status"].get("podIP") and not pod["metadata"].get("deletionTimestamp")
        ]
        ports = [
            {"name": port.get("name", ""), "port": _port(port), "protocol": port["protocol"]}
            for port in live["spec"].get("ports") or ()
        ]
        known = controlled(self._state, SLICES.storage, live)
        if not known:
            labels = {
                "kubernetes.io/service-name": live["metadata"]["name"],
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            }
            metadata = {
                "generateName": f"{live['metadata']['name']}-",
                "labels": labels,
                "ownerReferences": [reference(SERVICES, live)],
            }
            self._actor.create(
                SLICES,
                namespace,
                {"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints, "ports": ports},
            )
        elif (known[0].get("endpoints") or [], known[0].get("ports") or []) != (endpoints, ports):
            self._actor.update(SLICES, known[0], endpoints=endpoints, ports=ports)


def _selects(service: Manifest, pod: Manifest) -> bool:
    selector = service["spec"].get("selector")
    return bool(selector) and matches(
        from_label_selector({"matchLabels": selector}), pod["metadata"].get("labels")
    )


def _port(port: dict[str, Any]) -> int:
    target = port.get("targetPort")
    return target if isinstance(target, int) else int(port["port"])


def _endpoint(pod: Manifest) -> dict[str, Any]:
    ready = is_ready(pod)
    target = {
        "kind": "Pod",
        "name": pod["metadata"]["name"],
        "namespace": pod["metadata"]["namespace"],
        "uid": pod["metadata"]["uid"],
    }
    conditions = {"ready": ready, "serving": ready, "terminating": False}
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": conditions,
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": target,
    }


class IngressController(Controller):
    """Gives each Ingress an address."""

    watches = (INGRESSES.storage,)

    def __init__(self, state: State) -> None:
        self._state = state
        self._actor = Actor(state)

    def keys(self, change: Change) -> Iterable[Key]:
        """Name the Ingress."""
        return [change.key]

    def reconcile(self, key: Key) -> float | None:
        """Set the address."""
        live = self._state.store.get(INGRESSES.storage, key)
        if live is not None and not live["status"]["loadBalancer"].get("ingress"):
            self._actor.update_status(INGRESSES, live, {"loadBalancer": {"ingress": [{"ip": _OUTSIDE}]}})
        return None
