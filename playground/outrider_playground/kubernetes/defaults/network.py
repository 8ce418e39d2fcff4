"""Defaults of services and policies."""

from __future__ import annotations

from typing import Any

_CLIENT_IP_TIMEOUT_S = 10800


def service(manifest: dict[str, Any]) -> None:
    """Fill in a Service; addresses are given out when it is created."""
    spec = manifest["spec"]
    kind = spec.setdefault("type", "ClusterIP")
    if spec.setdefault("sessionAffinity", "None") == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {}).setdefault(
            "timeoutSeconds", _CLIENT_IP_TIMEOUT_S
        )
    for port in spec.get("ports") or ():
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port["port"]
    if kind in {"NodePort", "LoadBalancer"}:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if kind != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")


def endpoints(manifest: dict[str, Any]) -> None:
    """Fill in Endpoints."""
    for subset in manifest.get("subsets") or ():
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")


def network_policy(manifest: dict[str, Any]) -> None:
    """Fill in a NetworkPolicy."""
    spec = manifest["spec"]
    if "policyTypes" not in spec:
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for rule in [*(spec.get("ingress") or ()), *(spec.get("egress") or ())]:
        for port in rule.get("ports") or ():
            port.setdefault("protocol", "TCP")


def ingress_class(manifest: dict[str, Any]) -> None:
    """Fill in an IngressClass."""
    parameters = manifest["spec"].get("parameters")
    if parameters is not None:
        parameters.setdefault("scope", "Cluster")


def webhooks(manifest: dict[str, Any]) -> None:
    """Fill in a webhook configuration."""
    mutating = manifest["kind"].startswith("Mutating")
    for hook in manifest.get("webhooks") or ():
        hook.setdefault("failurePolicy", "Fail")
        hook.setdefault("matchPolicy", "Equivalent")
        hook.setdefault("namespaceSelector", {})
        hook.setdefault("objectSelector", {})
        hook.setdefault("timeoutSeconds", 10)
        if mutating:
            hook.setdefault("reinvocationPolicy", "Never")
        for rule in hook.get("rules") or ():
            rule.setdefault("scope", "*")
        if "service" in hook["clientConfig"]:
            hook["clientConfig"]["service"].setdefault("port", 443)
