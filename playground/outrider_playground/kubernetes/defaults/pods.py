"""Defaults of pods, wherever a pod is described."""

from __future__ import annotations

from typing import Any

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_FILE_MODE = 420  # 0644
_FILE_SOURCES = ("secret", "configMap", "downwardAPI", "projected")


def pod(manifest: dict[str, Any]) -> None:
    """Fill in a Pod itself: what a template has, and what only a pod has."""
    spec = manifest["spec"]
    pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in spec.get("containers") or ():
        limits = container["resources"].get("limits")
        if limits:
            requests = container["resources"].setdefault("requests", {})
            for name, amount in limits.items():
                requests.setdefault(name, amount)
    manifest["status"].setdefault("phase", "Pending")


def template(manifest: dict[str, Any]) -> None:
    """Fill in a pod template."""
    pod_spec(manifest["spec"])


def pod_spec(spec: dict[str, Any]) -> None:
    """Fill in a pod's spec."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            _container(container, host_network=bool(spec.get("hostNetwork")))
    for volume in spec.get("volumes") or ():
        _volume(volume)


def _container(container: dict[str, Any], *, host_network: bool) -> None:
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    if "imagePullPolicy" not in container:
        container["imagePullPolicy"] = (
            "Always" if _tag(container.get("image", "")) == "latest" else "IfNotPresent"
        )
    if host_network:
        for port in container.get("ports") or ():
            port.setdefault("hostPort", port["containerPort"])
    for name in _PROBES:
        if name in container:
            _probe(container[name])
    for action in (container.get("lifecycle") or {}).values():
        if isinstance(action, dict):
            _http_get(action)
    for variable in container.get("env") or ():
        reference = variable.get("valueFrom", {}).get("fieldRef")
        if reference is not None:
            reference.setdefault("apiVersion", "v1")


def _tag(image: str) -> str:
    if "@" in image:
        return "digest"
    _, found, tag = image.rpartition("/")[2].partition(":")
    return tag if found else "latest"


def _probe(probe: dict[str, Any]) -> None:
    for name, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        probe.setdefault(name, value)
    _http_get(probe)
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")


def _http_get(action: dict[str, Any]) -> None:
    request = action.get("httpGet")
    if request is not None:
        request.setdefault("path", "/")
        request.setdefault("scheme", "HTTP")


def _volume(volume: dict[str, Any]) -> None:
    if len(volume) == 1:
        volume["emptyDir"] = {}
    for kind in _FILE_SOURCES:
        if kind in volume:
            volume[kind].setdefault("defaultMode", _FILE_MODE)
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")
    sources = [volume, *(volume.get("projected", {}).get("sources") or ())]
    for source in sources:
        for item in source.get("downwardAPI", {}).get("items") or ():
            if "fieldRef" in item:
                item["fieldRef"].setdefault("apiVersion", "v1")
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", 3600)
