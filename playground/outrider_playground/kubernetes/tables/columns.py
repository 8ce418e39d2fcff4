"""Which columns a table has, kind by kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..ages import age, read_time
from ..selectors import selector_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ..values import Manifest


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `priority` 1 shows it in wide output only."""

    name: str
    cell: Callable[[Manifest, datetime], Any]
    type: str = "string"
    format: str = ""
    priority: int = 0

    def definition(self) -> dict[str, Any]:
        """Return the column as a table declares it."""
        description = f"{self.name} of the object"
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": description,
            "priority": self.priority,
        }


def at(path: str, missing: Any = "") -> Callable[[Manifest, datetime], Any]:
    """Return a cell that shows the field at a dotted path."""
    names = path.split(".")

    def cell(manifest: Manifest, _now: datetime) -> Any:
        value: Any = manifest
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return missing if value is None else value

    return cell


def _number(path: str) -> Callable[[Manifest, datetime], Any]:
    return at(path, 0)


def _age(manifest: Manifest, now: datetime) -> str:
    return age(manifest["metadata"].get("creationTimestamp", ""), now)


def _count(path: str) -> Callable[[Manifest, datetime], int]:
    inner = at(path, ())
    return lambda manifest, now: len(inner(manifest, now))


def _config_size(manifest: Manifest, _now: datetime) -> int:
    return len(manifest.get("data") or ()) + len(manifest.get("binaryData") or ())


def _deployment_ready(manifest: Manifest, _now: datetime) -> str:
    return f"{manifest['status'].get('readyReplicas', 0)}/{manifest['spec'].get('replicas', 0)}"


def _pod_ready(manifest: Manifest, _now: datetime) -> str:
    statuses = manifest["status"].get("containerStatuses") or ()
    return (
        f"{sum(1 for each in statuses if each.get('ready'))}/{len(manifest['spec'].get('containers') or ())}"
    )


def _pod_status(manifest: Manifest, _now: datetime) -> str:
    if manifest["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for each in manifest["status"].get("containerStatuses") or ():
        state = each.get("state") or {}
        reason = (state.get("waiting") or state.get("terminated") or {}).get("reason")
        if reason:
            return str(reason)
    return str(manifest["status"].get("phase", "Unknown"))


def _restarts(manifest: Manifest, _now: datetime) -> int:
    return sum(each.get("restartCount", 0) for each in manifest["status"].get("containerStatuses") or ())


def _service_ports(manifest: Manifest, _now: datetime) -> str:
    ports = manifest["spec"].get("ports") or ()
    shown = [
        f"{port['port']}:{port['nodePort']}/{port.get('protocol')}"
        if port.get("nodePort")
        else f"{port['port']}/{port.get('protocol')}"
        for port in ports
    ]
    return ",".join(shown) or "<none>"


def _outside_address(manifest: Manifest, _now: datetime) -> str:
    found = ((manifest.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    addresses = [each.get("ip") or each.get("hostname", "") for each in found]
    pending = manifest.get("spec", {}).get("type") == "LoadBalancer"
    return ",".join(addresses) or ("<pending>" if pending else "<none>")


def _node_status(manifest: Manifest, _now: datetime) -> str:
    ready = any(
        each["type"] == "Ready" and each["status"] == "True"
        for each in manifest["status"].get("conditions") or ()
    )
    return "Ready" if ready else "NotReady"


def _job_status(manifest: Manifest, _now: datetime) -> str:
    for wanted in ("Complete", "Failed", "Suspended"):
        if any(
            each["type"] == wanted and each["status"] == "True"
            for each in manifest["status"].get("conditions") or ()
        ):
            return wanted
    return "Running"


def _completions(manifest: Manifest, _now: datetime) -> str:
    return f"{manifest['status'].get('succeeded', 0)}/{manifest['spec'].get('completions', 1)}"


def _duration(manifest: Manifest, now: datetime) -> str:
    start, end = manifest["status"].get("startTime"), manifest["status"].get("completionTime")
    return age(start, read_time(end) if end else now) if start else ""


def _selector(manifest: Manifest, _now: datetime) -> str:
    return selector_text(manifest["spec"].get("selector")) or "<none>"


def _images(manifest: Manifest, _now: datetime) -> str:
    return ",".join(
        each.get("image", "") for each in manifest["spec"]["template"]["spec"].get("containers") or ()
    )


def _hosts(manifest: Manifest, _now: datetime) -> str:
    return ",".join(rule.get("host", "*") for rule in manifest["spec"].get("rules") or ()) or "*"


NAME: Final = Column("Name", at("metadata.name"), format="name")
AGE: Final = Column("Age", _age)
_WIDE_TEMPLATE: Final = (Column("Images", _images, priority=1), Column("Selector", _selector, priority=1))


def _int(name: str, path: str) -> Column:
    return Column(name, _number(path), "integer")


BY_KIND: Final[dict[tuple[str, str], tuple[Column, ...]]] = {
    ("", "configmaps"): (NAME, Column("Data", _config_size), AGE),
    ("", "secrets"): (NAME, Column("Type", at("type")), Column("Data", _config_size), AGE),
    ("", "namespaces"): (NAME, Column("Status", at("status.phase")), AGE),
    ("", "nodes"): (
        NAME,
        Column("Status", _node_status),
        AGE,
        Column("Version", at("status.nodeInfo.kubeletVersion")),
    ),
    ("", "pods"): (
        NAME,
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _restarts, "integer"),
        AGE,
        Column("IP", at("status.podIP", "<none>"), priority=1),
        Column("Node", at("spec.nodeName", "<none>"), priority=1),
    ),
    ("", "services"): (
        NAME,
        Column("Type", at("spec.type")),
        Column("Cluster-IP", at("spec.clusterIP", "<none>")),
        Column("External-IP", _outside_address),
        Column("Port(s)", _service_ports),
        AGE,
        Column(
            "Selector",
            lambda manifest, _: selector_text({"matchLabels": manifest["spec"].get("selector")}),
            priority=1,
        ),
    ),
    ("", "persistentvolumeclaims"): (
        NAME,
        Column("Status", at("status.phase")),
        Column("Volume", at("spec.volumeName")),
        Column("Capacity", at("status.capacity.storage")),
        AGE,
    ),
    ("", "serviceaccounts"): (NAME, Column("Secrets", _count("secrets"), "string"), AGE),
    ("", "events"): (
        Column("Last Seen", lambda manifest, now: age(manifest.get("lastTimestamp", ""), now)),
        Column("Type", at("type")),
        Column("Reason", at("reason")),
        Column(
            "Object",
            lambda manifest, _: (
                f"{manifest['involvedObject'].get('kind', '').lower()}/{manifest['involvedObject'].get('name', '')}"
            ),
        ),
        Column("Message", at("message")),
    ),
    ("apps", "deployments"): (
        NAME,
        Column("Ready", _deployment_ready),
        Column("Up-to-date", _number("status.updatedReplicas")),
        Column("Available", _number("status.availableReplicas")),
        AGE,
        *_WIDE_TEMPLATE,
    ),
    ("apps", "replicasets"): (
        NAME,
        _int("Desired", "spec.replicas"),
        _int("Current", "status.replicas"),
        _int("Ready", "status.readyReplicas"),
        AGE,
        *_WIDE_TEMPLATE,
    ),
    ("apps", "statefulsets"): (
        NAME,
        Column("Ready", _deployment_ready),
        AGE,
        Column("Images", _images, priority=1),
    ),
    ("apps", "daemonsets"): (
        NAME,
        _int("Desired", "status.desiredNumberScheduled"),
        _int("Current", "status.currentNumberScheduled"),
        _int("Ready", "status.numberReady"),
        _int("Up-to-date", "status.updatedNumberScheduled"),
        _int("Available", "status.numberAvailable"),
        AGE,
        *_WIDE_TEMPLATE,
    ),
    ("batch", "jobs"): (
        NAME,
        Column("Status", _job_status),
        Column("Completions", _completions),
        Column("Duration", _duration),
        AGE,
        *_WIDE_TEMPLATE,
    ),
    ("batch", "cronjobs"): (
        NAME,
        Column("Schedule", at("spec.schedule")),
        Column("Suspend", lambda manifest, _: str(manifest["spec"].get("suspend", False)), "boolean"),
        Column("Active", _count("status.active"), "integer"),
        AGE,
    ),
    ("networking.k8s.io", "ingresses"): (
        NAME,
        Column("Class", at("spec.ingressClassName", "<none>")),
        Column("Hosts", _hosts),
        Column("Address", _outside_address),
        AGE,
    ),
    ("apiextensions.k8s.io", "customresourcedefinitions"): (
        NAME,
        Column("Created At", at("metadata.creationTimestamp"), "date"),
    ),
}
