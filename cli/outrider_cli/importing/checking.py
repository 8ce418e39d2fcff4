"""Have the hub judge each object, and put together what is known. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from outrider import subjects
from outrider_cli.applying import check_size, project_of, projects_in
from outrider_cli.failure import Refused
from outrider_cli.importing.clusters import ClusterMap, Registered
from outrider_cli.importing.credentials import repositories_needed
from outrider_cli.importing.fitting import Fitted, fit
from outrider_cli.importing.report import (
    Judged,
    Report,
    clusters_of,
    repositories_of,
    single,
    without_refused_projects,
)
from outrider_cli.importing.secrets import IN_CLUSTER_SERVER
from outrider_cli.progress import counting
from outrider_cli.together import together

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outrider_cli.documents import Found
    from outrider_cli.hub import Hub
    from outrider_cli.importing.held import Held


@dataclass(frozen=True)
class Wanted:
    """How objects are to be taken over."""

    cluster_map: Mapping[str, str]
    manual_sync: bool = False


async def judge(hub: Hub, held: Held, wanted: Wanted) -> Report:
    """Return what would become of Argo CD's objects."""
    here = [
        Registered(str(item["name"]), str(item.get("server") or ""))
        async for item in hub.pages(subjects.registry("cluster.list"))
    ]
    registered = {
        canonical(str(item["url"])): item async for item in hub.pages(subjects.registry("repo.list"))
    }
    there = {str(item["name"]) async for item in hub.pages(subjects.registry("project.list"))}
    clusters = ClusterMap(wanted.cluster_map, here, held.clusters)
    fitted = [
        (one, fit(one.manifest or {}, clusters, manual_sync=wanted.manual_sync)) for one in held.objects
    ]
    projects = projects_in(made.manifest for _, made in fitted)
    with counting("checked", len(held.objects)) as count:

        async def one(object_: tuple[Found, Fitted]) -> Judged:
            judged = await _judge(hub, *object_, projects)
            count()
            return judged

        judged = await together(one, fitted)
    unread = [Judged(one, refusals=(one.error,)) for one in held.unread]
    objects = without_refused_projects(single([*unread, *judged]), there)
    taken = [one for one in objects if not one.refusals]
    return Report(
        objects,
        repositories_needed(taken, held, registered, canonical),
        clusters_of(taken, held, here),
        held.other_kinds,
    )


async def _judge(hub: Hub, found: Found, fitted: Fitted, projects: Mapping[str, dict[str, Any]]) -> Judged:
    refusals, warnings = [*fitted.refusals], [*found.warnings, *fitted.warnings]
    needs = list(repositories_of(fitted.manifest))
    try:
        answer = await _checked(hub, fitted.manifest, projects)
    except Refused as error:
        refusals.append(error.format_message())
    else:
        refusals += _texts(answer.get("refusals"))
        warnings += _texts(answer.get("warnings"))
        missing = answer.get("needs") or {}
        needs += _texts(missing.get("repositories"))
        refusals += _lacks(missing)
    namespace = fitted.manifest["metadata"].get("namespace")
    return Judged(
        found=replace(found, manifest=fitted.manifest, warnings=()),
        namespace=namespace if isinstance(namespace, str) else "",
        refusals=tuple(dict.fromkeys(refusals)),
        warnings=tuple(dict.fromkeys(warnings)),
        needs=tuple(dict.fromkeys(needs)),
    )


def _lacks(needs: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an application can't be stored without. A cluster that is not there yet, it waits for."""
    if needs.get("project"):
        yield f"spec.project: there is no project {needs['project']!r} here, and none is imported"
    if needs.get("cluster") == IN_CLUSTER_SERVER:
        yield (
            f"spec.destination.server: {IN_CLUSTER_SERVER} is the cluster that Argo CD runs in: say which one that is here, "
            f"with --cluster-map {IN_CLUSTER_SERVER}=NAME"
        )


async def _checked(
    hub: Hub, manifest: dict[str, Any], projects: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    check_size(manifest)
    return await hub.registry("app.check", manifest=manifest, project=project_of(manifest, projects))


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def canonical(url: str) -> str:
    """Return what all spellings of a repository's URL have in common."""
    from outrider.rendering.git.address import parse_address
    from outrider.rendering.git.errors import AddressRefused

    try:
        return parse_address(url).canonical.rstrip("/").removesuffix(".git")
    except AddressRefused:
        return url
