"""What a client asks first: versions, groups and resources, one by one or aggregated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .catalog import Catalog
    from .resources import Resource, Subresource

VERSION: dict[str, str] = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.0+simulated",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "simulated/any",
}


def core_versions(address: str) -> dict[str, Any]:
    """Answer /api: where the core group is served."""
    servers = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": servers}


def group_list(catalog: Catalog) -> dict[str, Any]:
    """Answer /apis."""
    groups = [_group(catalog, name) for name in catalog.groups() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(catalog: Catalog, name: str) -> dict[str, Any] | None:
    """Answer /apis/GROUP, or None for a group that is not served."""
    if not name or not catalog.versions(name):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(catalog, name)}


def _group(catalog: Catalog, name: str) -> dict[str, Any]:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version} for version in catalog.versions(name)
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def resource_list(catalog: Catalog, group_name: str, version: str) -> dict[str, Any] | None:
    """Answer /api/v1 or /apis/GROUP/VERSION, or None for one that is not served."""
    resources = catalog.served(group_name, version)
    if not resources:
        return None
    listed: list[dict[str, Any]] = []
    for resource in resources:
        listed.append(_resource(resource))
        listed.extend(_subresource(resource, each) for each in resource.subresources)
    out = {"kind": "APIResourceList", "groupVersion": resources[0].api_version, "resources": listed}
    return {"apiVersion": "v1", **out} if group_name else out


def _resource(resource: Resource) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        out["shortNames"] = list(resource.short_names)
    if resource.categories:
        out["categories"] = list(resource.categories)
    if "list" in resource.verbs and resource.plural != "componentstatuses":
        out["storageVersionHash"] = resource.storage_hash()
    return out


def _subresource(resource: Resource, part: Subresource) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": f"{resource.plural}/{part.name}",
        "singularName": "",
        "namespaced": resource.namespaced,
    }
    if part.group:
        out |= {"group": part.group, "version": part.version}
    return {**out, "kind": part.kind, "verbs": list(part.verbs)}


def aggregated(catalog: Catalog, groups: list[str]) -> dict[str, Any]:
    """Answer /api or /apis in the aggregated form: all groups with all resources at once."""
    items = [
        {
            "metadata": {"name": name} if name else {},
            "versions": [_aggregated_version(catalog, name, version) for version in catalog.versions(name)],
        }
        for name in groups
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregated_version(catalog: Catalog, name: str, version: str) -> dict[str, Any]:
    resources = [_aggregated_resource(resource) for resource in catalog.served(name, version)]
    return {"version": version, "resources": resources, "freshness": "Current"}


def _aggregated_resource(resource: Resource) -> dict[str, Any]:
    out: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": _response_kind(resource, "", "", resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        out["shortNames"] = list(resource.short_names)
    if resource.categories:
        out["categories"] = list(resource.categories)
    if resource.subresources:
        out["subresources"] = [
            {
                "subresource": part.name,
                "responseKind": _response_kind(resource, part.group, part.version, part.kind),
                "verbs": list(part.verbs),
            }
            for part in resource.subresources
        ]
    return out


def _response_kind(resource: Resource, group_name: str, version: str, kind: str) -> dict[str, str]:
    """Custom resources name their group and version; built-in ones leave out what is the parent's."""
    if resource.custom is not None and not version:
        group_name, version = resource.group, resource.version
    return {"group": group_name, "version": version, "kind": kind}
