"""`outrider import argocd`: read, judge, show, ask, write."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from outrider_cli.app.apply import tell
from outrider_cli.asking import asking
from outrider_cli.failure import Failed, Reported, note
from outrider_cli.output import Format, emit, output_option
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from outrider_cli.applying import Outcome
    from outrider_cli.documents import Found
    from outrider_cli.importing.held import Held
    from outrider_cli.importing.report import Report

FILE_MAX_BYTES = 256 << 20
# The status of some thousand applications, as `kubectl get -o yaml` prints them all.
STATUS_NOTE = (
    "Argo CD goes on managing what it manages: see that it stops before both change the same objects "
    "(docs/importing-argocd.md)"
)


def cluster_map(
    _context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, str]:
    """Return the clusters in `SERVER=NAME` options; a usage error names the one that is none."""
    from outrider.names import InvalidName, cluster_name

    found = {}
    for one in given:
        # A server's URL may hold an equals sign, a cluster's name can't.
        server, equals, name = one.rpartition("=")
        if not equals or not server:
            raise click.BadParameter(f"{one!r}: write it as SERVER=NAME, as https://1.2.3.4:6443=shop1")
        try:
            found[server.rstrip("/")] = str(cluster_name(name))
        except InvalidName as error:
            raise click.BadParameter(str(error)) from error
    return found


@dataclass(frozen=True)
class Options:
    """What `outrider import argocd` was given."""

    files: tuple[str, ...]
    kubeconfig: str | None
    context: str | None
    namespace: str
    all_namespaces: bool
    clusters: dict[str, str]
    with_credentials: bool
    manual_sync: bool
    dry_run: bool
    yes: bool

    def check(self) -> None:
        """Refuse combinations that can't be meant."""
        if self.files and (self.kubeconfig or self.context or self.all_namespaces):
            raise click.UsageError("give files, or a cluster to read from, not both")
        if "-" in self.files and not (self.yes or self.dry_run):
            raise click.UsageError(
                "standard input can't be asked: give --yes, or --dry-run for the report alone"
            )

    def found(self) -> Iterable[Found]:
        """Return Argo CD's objects."""
        if not self.files:
            from outrider_cli.importing import kubernetes

            access = kubernetes.Access(self.kubeconfig, self.context, self.namespace, self.all_namespaces)
            return kubernetes.read(access)
        from outrider.rendering.kubeyaml import Bounds
        from outrider_cli.documents import read_all

        return read_all(self.files, Bounds(max_bytes=FILE_MAX_BYTES, max_weight=4 * FILE_MAX_BYTES))


@click.command()
@click.option(
    "-f", "--file", "files", multiple=True, metavar="FILE|DIR|-",
    help="Read what kubectl printed (-o yaml or json) instead of a cluster; may be repeated.",
)  # fmt: skip
@click.option(
    "--kubeconfig",
    metavar="FILE",
    help="How to reach Argo CD's cluster. [default: $KUBECONFIG, else ~/.kube/config]",
)
@click.option("--context", help="The context of the kubeconfig, instead of its current one.")
@click.option("-n", "--namespace", default="argocd", show_default=True, help="Where Argo CD runs.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Also applications and sets in other namespaces.")
@click.option(
    "--cluster-map", "clusters", multiple=True, callback=cluster_map, metavar="SERVER=NAME",
    help="The cluster here that a server (or a name) in Argo CD means; may be repeated.",
)  # fmt: skip
@click.option(
    "--with-credentials", is_flag=True,
    help="Carry over what Argo CD reads repositories with, sealed to the renderers' key. It is shown nowhere.",
)  # fmt: skip
@click.option(
    "--manual-sync", is_flag=True,
    help="Turn automated sync off, to look at `app diff` first. Importing again without it turns it on.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show the report and stop.")
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
@hub_option
@output_option
def argocd(state: Path | None, output: Format, **given: Any) -> None:
    """Take over applications, sets, projects and settings from Argo CD.

    Without --file they are read from the cluster that Argo CD runs in. First a report says for each object whether it is taken,
    and what of it is not; which repositories lack credentials here, and which clusters are not registered. Then what is taken
    is written, after asking. Exit status 1 if something is refused. Doing it again changes nothing.
    """
    options = Options(**given)
    options.check()
    from outrider_cli.importing import checking
    from outrider_cli.importing.held import sort

    held = sort(options.found())
    wanted = checking.Wanted(options.clusters, options.manual_sync)
    report = asking(state, lambda hub: checking.judge(hub, held, wanted))
    _show(report, options, output)
    outcomes: list[Outcome] = []
    if report.taken and not options.dry_run:
        _ask(report, options)
        outcomes = _carry_out(state, held, report, options, output)
        note(STATUS_NOTE)
    if output != "table":
        emit({**report.as_dict(), "outcomes": outcomes}, output, lambda: "")
    if report.refused or any("error" in one for one in outcomes):
        raise Reported


def _show(report: Report, options: Options, output: Format) -> None:
    if output != "table":
        return
    from outrider_cli.importing import tables
    from outrider_cli.output import show

    show(tables.shown(report, with_credentials=options.with_credentials))


def _ask(report: Report, options: Options) -> None:
    refused = f" ({report.refused} are refused and left out)" if report.refused else ""
    question = f"Import {len(report.taken)} objects{refused}?"
    if options.yes:
        return
    if not sys.stdin.isatty():
        raise Failed(f"{question} Nobody can be asked here: give --yes, or --dry-run for the report alone")
    if not click.confirm(question, err=True):
        raise click.Abort


def _carry_out(
    state: Path | None, held: Held, report: Report, options: Options, output: Format
) -> list[Outcome]:
    from outrider_cli.importing import carrying

    return asking(
        state,
        lambda hub: carrying.carry_out(
            hub,
            held,
            report,
            with_credentials=options.with_credentials,
            # The report has told the warnings.
            tell=lambda outcome: tell({**outcome, "warnings": []}, output),
        ),
    )
