"""What the server refuses about pods, and what it sets on a new one."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from ..errors import Cause, invalid_value, required_value, unsupported_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..state import State
    from ..values import Manifest

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_RESTART_POLICIES: Final = ("Always", "OnFailure", "Never")
_PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_TOLERATED: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def admit(_state: State, pod: Manifest) -> None:
    """Set what admission sets on a new pod: tolerations, priority, class of service."""
    spec = pod["spec"]
    tolerations = list(spec.get("tolerations") or ())
    for key in _TOLERATED:
        if not any(
            each.get("key") in {key, None} and each.get("effect") in {"NoExecute", None}
            for each in tolerations
        ):
            tolerations.append(
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            )
    spec["tolerations"] = tolerations
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    pod["status"] = {"phase": "Pending", "qosClass": quality_of_service(spec)}


def quality_of_service(spec: dict[str, Any]) -> str:
    """Return a pod's class: Guaranteed when all limits are set and equal the requests, BestEffort when none are, else Burstable."""
    resources = [each.get("resources") or {} for each in spec.get("containers") or ()]
    if not any(each.get("limits") or each.get("requests") for each in resources):
        return "BestEffort"
    guaranteed = all(
        {"cpu", "memory"} <= set(each.get("limits") or ()) and each.get("limits") == each.get("requests")
        for each in resources
    )
    return "Guaranteed" if guaranteed else "Burstable"


def pod_causes(pod: Manifest) -> Iterator[Cause]:
    """Find what is wrong with a pod."""
    yield from spec_causes(pod["spec"], "spec", _RESTART_POLICIES)


def template_causes(template: dict[str, Any], field: str, policies: tuple[str, ...]) -> Iterator[Cause]:
    """Find what is wrong with a pod template that allows only these restart policies."""
    yield from spec_causes(template.get("spec") or {}, f"{field}.spec", policies)


def spec_causes(spec: dict[str, Any], field: str, policies: tuple[str, ...]) -> Iterator[Cause]:
    """Find what is wrong with a pod's spec."""
    if not spec.get("containers"):
        yield required_value(f"{field}.containers")
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    names: set[str] = set()
    for kind in ("initContainers", "containers"):
        for place, container in enumerate(spec.get(kind) or ()):
            yield from _container_causes(container, f"{field}.{kind}[{place}]", volumes, names)
    if spec.get("restartPolicy") not in policies:
        yield unsupported_value(f"{field}.restartPolicy", str(spec.get("restartPolicy")), policies)


def _container_causes(
    container: dict[str, Any], field: str, volumes: set[Any], names: set[str]
) -> Iterator[Cause]:
    name = container.get("name", "")
    if not name:
        yield required_value(f"{field}.name")
    elif not _LABEL.fullmatch(name) or len(name) > 63:
        yield invalid_value(
            f"{field}.name",
            json.dumps(name),
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'",
        )
    elif name in names:
        yield Cause("FieldValueDuplicate", f"Duplicate value: {json.dumps(name)}", f"{field}.name")
    names.add(name)
    if not container.get("image"):
        yield required_value(f"{field}.image")
    for place, port in enumerate(container.get("ports") or ()):
        yield from _port_causes(port, f"{field}.ports[{place}]")
    for place, mount in enumerate(container.get("volumeMounts") or ()):
        if mount.get("name") not in volumes:
            yield Cause(
                "FieldValueNotFound",
                f"Not found: {json.dumps(mount.get('name'))}",
                f"{field}.volumeMounts[{place}].name",
            )
    for place, variable in enumerate(container.get("env") or ()):
        if not variable.get("name"):
            yield required_value(f"{field}.env[{place}].name")


def _port_causes(port: dict[str, Any], field: str) -> Iterator[Cause]:
    number = port.get("containerPort", 0)
    if not number:
        yield required_value(f"{field}.containerPort")
    elif not 1 <= number <= 65535:
        yield invalid_value(f"{field}.containerPort", str(number), "must be between 1 and 65535, inclusive")
    if port.get("protocol") not in _PROTOCOLS:
        yield unsupported_value(f"{field}.protocol", str(port.get("protocol")), _PROTOCOLS)
