"""A project's rules, applied to one application. Pure.

Rules and their meaning: argo-cd `docs/user-guide/projects.md` and `sync_windows.md`, and the code beside its types. What the hub
can judge (sources, destination) it judges at every write and every reconcile; what only the edge can see (kinds and namespaces of
objects, the time of day, orphans) is handed on, as far as it concerns the application.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple
from urllib.parse import unquote

from app_registry.origins import same_repository
from outrider import globs
from outrider.spec.app_project import (
    AppProjectSpec,
    GroupKind,
    NamedGroupKind,
    OrphanKey,
    ProjectDestination,
    SyncWindow,
)
from outrider.spec.application import DEFAULT_PROJECT

ALL = "*"
PSA_PREFIX = "pod-security.kubernetes.io/"
_ALL_KINDS = ("", ALL)

PERMISSIVE = AppProjectSpec(
    source_repos=[ALL],
    destinations=[ProjectDestination(server=ALL, name=ALL, namespace=ALL)],
    cluster_resource_whitelist=[NamedGroupKind(group=ALL, kind=ALL)],
)
"""What project `default` says for as long as nobody applies another one."""


class Place(NamedTuple):
    """Where an application runs. `server` is empty where the cluster has none."""

    cluster: str
    server: str
    namespace: str


@dataclass(frozen=True)
class Asked:
    """What a project has to judge of an application."""

    app: str
    urls: tuple[str, ...]
    place: Place
    namespace_labels: tuple[str, ...] = ()
    # keys of the labels that its namespace is to be made with


@dataclass(frozen=True)
class Project:
    """One project."""

    name: str
    spec: AppProjectSpec

    def refusals(self, asked: Asked) -> list[str]:
        """Return a sentence for each rule that an application breaks."""
        found = [
            f"spec.source: project {self.name!r} does not permit repository {url}"
            for url in asked.urls
            if not _permits_source(self.spec.source_repos, url)
        ]
        place = asked.place
        if not _permits_place(self.spec.destinations, place):
            at = f"cluster {place.cluster!r}" if place.cluster else f"server {place.server}"
            namespace = f"namespace {place.namespace!r}" if place.namespace else "no namespace"
            found.append(f"spec.destination: project {self.name!r} does not permit {at} with {namespace}")
        privileged = [key for key in asked.namespace_labels if key.startswith(PSA_PREFIX)]
        if privileged and not self._permits_namespaces():
            found.append(
                f"spec.syncPolicy.managedNamespaceMetadata.labels: project {self.name!r} does not permit "
                f"{privileged[0]!r}, since it does not permit Namespaces in clusterResourceWhitelist"
            )
        return found

    def _permits_namespaces(self) -> bool:
        def lists(kinds: Sequence[GroupKind]) -> bool:
            return any(globs.matches(one.group, "") and globs.matches(one.kind, "Namespace") for one in kinds)

        return lists(self.spec.cluster_resource_whitelist) and not lists(self.spec.cluster_resource_blacklist)

    def for_edge(self, asked: Asked) -> dict[str, Any]:
        """Return what the edge has to judge; empty where the project restricts nothing of it."""
        spec = self.spec
        parts: dict[str, Any] = {
            "windows": [_window(window) for window in spec.sync_windows if _selects(window, asked)] or None,
            "clusterResourceWhitelist": _whitelist(spec.cluster_resource_whitelist),
            "clusterResourceBlacklist": _kinds(spec.cluster_resource_blacklist) or None,
            "namespaceResourceWhitelist": _whitelist(spec.namespace_resource_whitelist),
            "namespaceResourceBlacklist": _kinds(spec.namespace_resource_blacklist) or None,
            "namespaces": _namespaces(spec.destinations, asked.place),
            "orphanedResources": spec.orphaned_resources
            and {"warn": spec.orphaned_resources.warn, "ignore": _kinds(spec.orphaned_resources.ignore)},
        }
        restricted = {name: part for name, part in parts.items() if part is not None}
        return {"name": self.name, **restricted} if restricted else {}


IMPLICIT_DEFAULT = Project(DEFAULT_PROJECT, PERMISSIVE)


# Sources


def _permits_source(patterns: list[str], url: str) -> bool:
    """Tell whether every way to write a URL down is permitted: none of them may get around a `!`."""
    return all(_permits_form(patterns, form) for form in _forms(url))


def _permits_form(patterns: list[str], form: str) -> bool:
    is_permitted = False
    for pattern in patterns:
        denies = pattern.startswith("!")
        matched = _matches_repository(pattern.removeprefix("!"), form) != denies
        if matched:
            is_permitted = True
        elif denies:
            return False
    return is_permitted


def _matches_repository(pattern: str, form: str) -> bool:
    return pattern == ALL or globs.matches(_comparable(pattern), form, "/")


def _forms(url: str) -> set[str]:
    plain = _comparable(url)
    return {plain, unquote(plain)}


def _comparable(url: str) -> str:
    """Return a URL, or a pattern of URLs, without what makes no difference to a Git host."""
    text = same_repository(url).rstrip("/").removesuffix(".git").lower()
    scheme, colon, rest = text.partition("://")
    while colon and "//" in rest:
        rest = rest.replace("//", "/")
    host, slash, path = rest.partition("/")
    if scheme != "ssh":
        # It names nobody there; that of ssh is a part of the address.
        host = host.rpartition("@")[2]
    return f"{scheme}://{host}{slash}{path}" if colon else text


# Destinations


def _permits_place(rules: list[ProjectDestination], place: Place) -> bool:
    verdicts = [_verdict(rule, place) for rule in rules]
    return "permits" in verdicts and "denies" not in verdicts


def _verdict(rule: ProjectDestination, place: Place) -> str:
    is_cluster = _matches_cluster(rule, place)
    is_namespace = _matches(rule.namespace, place.namespace)
    if is_cluster and is_namespace:
        return "permits"
    denied = (
        _denies(rule.name, place.cluster)
        or _denies(rule.server, place.server)
        or _denies(rule.namespace, place.namespace)
    )
    return "denies" if denied else "says nothing"


def _matches_cluster(rule: ProjectDestination, place: Place) -> bool:
    if _denies(rule.name, place.cluster) or _denies(rule.server, place.server):
        return False
    is_server = rule.server == ALL or bool(
        place.server and rule.server and _matches(rule.server, place.server)
    )
    return is_server or bool(place.cluster and rule.name and _matches(rule.name, place.cluster))


def _matches(pattern: str, text: str) -> bool:
    """Match a pattern that may be negated: one that begins with `!` matches what it does not refuse."""
    if pattern.startswith("!"):
        return not globs.matches(pattern[1:], text)
    return globs.matches(pattern, text)


def _denies(pattern: str, text: str) -> bool:
    return pattern.startswith("!") and bool(text) and globs.matches(pattern[1:], text)


def _namespaces(rules: list[ProjectDestination], place: Place) -> list[str] | None:
    """Return the namespaces of a cluster that objects may be in, `!` for those they may not; None for all.

    A rule of a negated namespace permits all others, as in Argo CD; this is written out for the edge.
    """
    found: dict[str, None] = {}
    for rule in rules:
        is_cluster, denies = _matches_cluster(rule, place), rule.namespace.startswith("!")
        if is_cluster or denies:
            mark = "!" if denies else ""
            found |= {mark + one: None for one in globs.expanded(rule.namespace.removeprefix("!"))}
        if is_cluster and denies:
            found[ALL] = None
    return None if list(found) == [ALL] else list(found)


# Kinds


def _kinds(kinds: Sequence[GroupKind | OrphanKey]) -> list[dict[str, str]]:
    """Return kinds as edges read them: without braces in their patterns."""
    return [
        {"group": group, "kind": kind, **({"name": name} if name else {})}
        for one in kinds
        for group, kind, name in product(
            globs.expanded(one.group), globs.expanded(one.kind), globs.expanded(getattr(one, "name", ""))
        )
    ]


def _whitelist(kinds: Sequence[GroupKind] | None) -> list[dict[str, str]] | None:
    """Return the kinds that are permitted; None for all of them, an empty list for none."""
    if kinds is None or any(_is_everything(one) for one in kinds):
        return None
    return _kinds(kinds)


def _is_everything(one: GroupKind) -> bool:
    return one.group == ALL and one.kind == ALL and getattr(one, "name", "") in _ALL_KINDS


# Windows


def _selects(window: SyncWindow, asked: Asked) -> bool:
    """Tell whether a window concerns an application: one of its selectors does, or with `andOperator` each that it has."""
    answers = list(_selectors(window, asked))
    return all(answers) if window.and_operator else any(answers)


def _selectors(window: SyncWindow, asked: Asked) -> Iterator[bool]:
    place = asked.place
    if window.applications:
        yield _any(window.applications, asked.app)
    if window.clusters:
        yield _any(window.clusters, place.cluster) or _any(window.clusters, place.server)
    if window.namespaces:
        yield _any(window.namespaces, place.namespace)


def _any(patterns: list[str], text: str) -> bool:
    return any(pattern == ALL or (bool(text) and globs.matches(pattern, text)) for pattern in patterns)


def _window(window: SyncWindow) -> dict[str, Any]:
    return window.model_dump(
        by_alias=True, exclude_defaults=True, exclude={"applications", "namespaces", "clusters"}
    )
