"""What the server refuses about services and their like, and the addresses that it gives out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ..errors import Cause, invalid_value, required_value, unsupported_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..state import State
    from ..values import Manifest

_TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")


def give_address(state: State, service: Manifest) -> None:
    """Give a new Service its cluster address and node ports."""
    spec = service["spec"]
    if spec["type"] == "ExternalName":
        return
    address = spec.get("clusterIP") or state.service_address()
    spec["clusterIP"] = address
    spec.setdefault("clusterIPs", [address])
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    _give_node_ports(state, spec)


def keep_address(state: State, new: Manifest, old: Manifest) -> None:
    """Keep what was given out, for a write that leaves it out."""
    spec, before = new["spec"], old["spec"]
    if spec["type"] == "ExternalName":
        return
    if before["type"] == "ExternalName":
        give_address(state, new)
        return
    for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if not spec.get(field) and field in before:
            spec[field] = before[field]
    given = {(port["port"], port.get("protocol")): port.get("nodePort") for port in before.get("ports") or ()}
    for port in spec.get("ports") or ():
        known = given.get((port["port"], port.get("protocol")))
        if known and spec["type"] != "ClusterIP":
            port.setdefault("nodePort", known)
    _give_node_ports(state, spec)


def _give_node_ports(state: State, spec: dict[str, Any]) -> None:
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        for port in spec.get("ports") or ():
            if not port.get("nodePort"):
                port["nodePort"] = state.node_port()


def service_causes(manifest: Manifest) -> Iterator[Cause]:
    """Find what is wrong with a Service."""
    spec = manifest["spec"]
    if spec["type"] not in _TYPES:
        yield unsupported_value("spec.type", spec["type"], _TYPES)
    ports = spec.get("ports") or ()
    if not ports and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield required_value("spec.ports")
    if spec["type"] == "ExternalName" and not spec.get("externalName"):
        yield required_value("spec.externalName")
    seen = set()
    for place, port in enumerate(ports):
        if not 1 <= port["port"] <= 65535:
            yield invalid_value(
                f"spec.ports[{place}].port", str(port["port"]), "must be between 1 and 65535, inclusive"
            )
        if len(ports) > 1 and not port.get("name"):
            yield required_value(f"spec.ports[{place}].name")
        elif port.get("name") in seen:
            yield Cause(
                "FieldValueDuplicate",
                f"Duplicate value: {json.dumps(port['name'])}",
                f"spec.ports[{place}].name",
            )
        seen.add(port.get("name"))


def service_change(old: Manifest, new: Manifest) -> Iterator[Cause]:
    """Find a change of the cluster address, which can't be changed while the type needs one."""
    before, after = old["spec"].get("clusterIP"), new["spec"].get("clusterIP")
    if before and before != after and "ExternalName" not in {old["spec"]["type"], new["spec"]["type"]}:
        yield invalid_value("spec.clusterIPs[0]", json.dumps([after]), "may not change once set")


def ingress_causes(manifest: Manifest) -> Iterator[Cause]:
    """Find what is wrong with an Ingress."""
    spec = manifest["spec"]
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield invalid_value("spec", "{}", "either `defaultBackend` or `rules` must be specified")
    for place, rule in enumerate(spec.get("rules") or ()):
        for number, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            if not path.get("pathType"):
                yield required_value(
                    f"spec.rules[{place}].http.paths[{number}].pathType", "pathType must be specified"
                )
