"""The tree of one application: list, descend, look closer at what has health, answer.

An answer is bounded: objects, the number of them looked at on the way, and bytes. One that isn't whole says
`truncated`. Where kinds couldn't be listed, `refused` says which and why; where the Kubernetes API is away,
`stale` says so and the nodes are the application's own objects, as they were seen last.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from edge_agent.cluster import ClusterError, NotFound, Transient
from edge_agent.health import MISSING, Health
from edge_agent.tree.detail import Detail, has_detail, revision_info
from edge_agent.tree.family import Family, family
from edge_agent.tree.listing import Listing, listed
from edge_agent.tree.orphans import Watchfulness, orphans
from edge_agent.tree.relative import Relative, relative_of
from edge_agent.tree.wholes import claims, details
from outrider.manifests.tracking import label_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.applications.inventory import Live
    from edge_agent.applications.state import State
    from edge_agent.applications.surroundings import Surroundings

NODES_MAX = 2_000
ORPHANS_MAX = 500
# Of an answer as JSON. A node is some 300 bytes.
BYTES_MAX = 1 << 20
# Kinds that were refused, by name; more of them say nothing more.
REFUSED_MAX = 20
# Cluster-scoped kinds that own nothing of any namespace but their own: they are no reason to list everything.
_OWN_NOTHING = frozenset(
    {
        ("", "Namespace"),
        ("", "PersistentVolume"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("networking.k8s.io", "IngressClass"),
        ("node.k8s.io", "RuntimeClass"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "StorageClass"),
    }
)


async def resource_tree(state: State, around: Surroundings, apps: Iterable[str]) -> dict[str, Any]:
    """Return `{"nodes", "orphaned", "truncated", "refused", "stale"?}` of an application; `apps` are all of
    this cluster.
    """
    lives = around.inventory.tracked(state.app)
    watchfulness = _watchfulness(state)
    try:
        listing = await _listing(lives, watchfulness, around)
    except Transient as error:
        nodes = [_root(_relative(live), live, ()) for live in lives]
        return _bounded(nodes + _missing(state, around), [], Listing(), truncated=False) | {
            "stale": str(error)
        }
    known = {live.uid: live for live in lives}
    roots = [listing.found.get(uid) or _relative(live) for uid, live in known.items()]
    descent = family(roots, await _with_claims(listing, roots, around), NODES_MAX)
    orphaned = _orphaned(state, listing, watchfulness, apps)[:ORPHANS_MAX]
    family_of_orphans = family(orphaned, listing.found.values(), ORPHANS_MAX)
    closer = [
        one
        for one in (*descent.members, *family_of_orphans.members)
        if one.uid not in known and has_detail(one, around.inventory.checks)
    ]
    seen = await details(around.cluster, closer, around.inventory.checks)
    nodes = [*_nodes(descent, known, seen), *_missing(state, around)]
    truncated = listing.truncated or descent.truncated or family_of_orphans.truncated
    return _bounded(nodes, _nodes(family_of_orphans, {}, seen), listing, truncated=truncated)


async def orphan_warning(state: State, around: Surroundings, apps: Iterable[str]) -> str:
    """Return what the condition OrphanedResourceWarning says; empty: nothing. Raises `Transient`.

    A list of the whole namespace: made when somebody asks to refresh, not with every change.
    """
    watchfulness = _watchfulness(state)
    if watchfulness is None or not watchfulness.warn or not watchfulness.namespace:
        return ""
    listing = await listed(around.cluster, [watchfulness.namespace], everywhere=False)
    count = len(_orphaned(state, listing, watchfulness, apps))
    return f"Application has {count} orphaned resources" if count else ""


def _watchfulness(state: State) -> Watchfulness | None:
    return Watchfulness.of(state.desired.spec) if state.desired else None


async def _listing(lives: Iterable[Live], watchfulness: Watchfulness | None, around: Surroundings) -> Listing:
    namespaces = {live.key.namespace for live in lives}
    if watchfulness is not None:
        namespaces.add(watchfulness.namespace)
    everywhere = any(
        not live.key.namespace and (live.key.group, live.key.kind) not in _OWN_NOTHING for live in lives
    )
    listing = await listed(around.cluster, namespaces, everywhere=everywhere)
    for live in lives:
        if live.uid not in listing.found and not live.key.namespace:
            # For when it was created, which is not remembered.
            try:
                listing.found[live.uid] = relative_of(await around.cluster.get(live.kind, live.key))
            except NotFound:
                continue
            except ClusterError as error:
                listing.refused.append(str(error))
    return listing


async def _with_claims(listing: Listing, roots: list[Relative], around: Surroundings) -> list[Relative]:
    """Return what was found, claims with the StatefulSet that made them."""
    made = await claims(around.cluster, {one.uid: one for one in (*roots, *listing.found.values())}.values())
    return [
        dataclasses.replace(one, inferred=(made[one.uid],)) if one.uid in made else one
        for one in listing.found.values()
    ]


def _orphaned(
    state: State, listing: Listing, watchfulness: Watchfulness | None, apps: Iterable[str]
) -> list[Relative]:
    if watchfulness is None or not watchfulness.namespace:
        return []
    names = frozenset(name for app in apps for name in (app, label_value(app)))
    desired = state.index.entries if state.index else {}
    found = orphans(listing.found.values(), watchfulness, names)
    return [one for one in found if one.key not in desired]


def _nodes(descent: Family, known: dict[str, Live], seen: dict[str, Detail]) -> list[dict[str, Any]]:
    return [
        _root(one, known[one.uid], descent.parents[one.uid])
        if one.uid in known
        else _node(one, descent.parents[one.uid], seen.get(one.uid))
        for one in descent.members
    ]


def _root(one: Relative, live: Live, parents: tuple[str, ...]) -> dict[str, Any]:
    return _node(one, parents, Detail(live.health, live.images))


def _node(one: Relative, parents: tuple[str, ...], detail: Detail | None) -> dict[str, Any]:
    node: dict[str, Any] = {
        "group": one.key.group,
        "version": one.kind.version,
        "kind": one.key.kind,
        "namespace": one.key.namespace,
        "name": one.key.name,
        "uid": one.uid,
        "parents": list(parents),
        "created_at": one.created_at,
    }
    health = Health("Progressing", "is being deleted") if one.deleting else detail.health if detail else None
    if health is not None:
        node["health"] = {"status": health.status} | ({"message": health.message} if health.message else {})
    if detail and detail.images:
        node["images"] = list(detail.images)
    info = (*revision_info(one), *(detail.info if detail else ()))
    if info:
        node["info"] = [{"name": name, "value": value} for name, value in info]
    return node


def _missing(state: State, around: Surroundings) -> list[dict[str, Any]]:
    """Return the nodes of what is desired and not there."""
    entries = state.index.entries.values() if state.index else ()
    return [
        _node(Relative(entry.key, entry.kind, "", "", (), (), "", "", False), (), Detail(Health(MISSING)))
        for entry in entries
        if around.inventory.get(entry.key) is None
    ]


def _relative(live: Live) -> Relative:
    return Relative(live.key, live.kind, live.uid, "", (), (), live.claimed or "", "", live.deleting)


def _bounded(
    nodes: list[dict[str, Any]], orphaned: list[dict[str, Any]], listing: Listing, *, truncated: bool
) -> dict[str, Any]:
    """Return an answer that holds as many nodes, parents first, as fit."""
    held: list[list[dict[str, Any]]] = []
    left = BYTES_MAX
    for wanted in (nodes, orphaned):
        taken = 0
        for node in wanted:
            left -= len(json.dumps(node))
            if left < 0:
                truncated = True
                break
            taken += 1
        held.append(wanted[:taken])
    return {
        "nodes": held[0],
        "orphaned": held[1],
        "truncated": truncated,
        "refused": sorted(set(listing.refused))[:REFUSED_MAX],
    }
