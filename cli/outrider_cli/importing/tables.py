"""A report for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outrider_cli.importing.report import CARRY, ClusterNeed, Judged, Report, RepositoryNeed
from outrider_cli.output import styled, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.text import Text

_VERDICTS = {"taken": ("taken", "green"), "warned": ("taken, but", "yellow"), "refused": ("refused", "red")}


def shown(report: Report, *, with_credentials: bool) -> RenderableType:
    """Return tables of objects, repositories and clusters."""
    from rich.console import Group

    if not report.objects:
        return styled("Nothing of Argo CD's is there.", "")
    parts: list[Any] = [table(["OBJECT", "NAMESPACE", "RESULT", "WHY"], _objects(report))]
    if report.repositories:
        rows = (_repository(one, with_credentials=with_credentials) for one in report.repositories)
        parts += ["", table(["REPOSITORY", "USED BY", "IN ARGO CD", "HERE"], rows)]
    if report.clusters:
        rows = (_cluster(one) for one in report.clusters)
        parts += ["", table(["CLUSTER", "USED BY", "IN ARGO CD", "HERE"], rows)]
    if report.other_kinds:
        counted = ", ".join(f"{count} {kind}" for kind, count in sorted(report.other_kinds.items()))
        parts += ["", styled(f"Left out, being nothing of Argo CD's: {counted}", "")]
    return Group(*parts)


def _objects(report: Report) -> Iterator[list[str | Text]]:
    for one in report.objects:
        reasons = _reasons(one)
        word, style = _VERDICTS[one.verdict]
        yield [one.name, one.namespace, styled(word, style), reasons[0] if reasons else ""]
        for reason in reasons[1:]:
            yield ["", "", "", reason]


def _reasons(one: Judged) -> list[str]:
    if one.refusals:
        return list(one.refusals)
    return list(one.warnings)


def _repository(one: RepositoryNeed, *, with_credentials: bool) -> list[str | Text]:
    return [one.url, str(one.applications), one.access, _here(one, with_credentials=with_credentials)]


def _here(one: RepositoryNeed, *, with_credentials: bool) -> Text:
    if one.here == "registered":
        return styled("registered", "green")
    if one.problem:
        return styled(one.problem, "yellow")
    if one.here == "open":
        return styled("needs no credentials", "green")
    if with_credentials:
        return styled("its credentials will be carried over", "green")
    return styled(f"lacks credentials: `outrider repo add`, or {CARRY}", "yellow")


def _cluster(one: ClusterNeed) -> list[str | Text]:
    if one.cluster:
        here = styled(one.cluster, "green")
    else:
        here = styled(
            "not registered: `outrider cluster add`, or --cluster-map; its applications wait", "yellow"
        )
    return [one.destination, str(one.applications), one.called, here]
