"""`outrider app`: apply, list, show and delete applications, sync them and wait for them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from outrider import subjects
from outrider_cli import application_tables, syncing, waiting
from outrider_cli.applying import Outcome, apply_each, place_of
from outrider_cli.asking import asking
from outrider_cli.failure import Failed, Reported, note
from outrider_cli.output import Format, emit, output_option, styled
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from pathlib import Path

    from outrider_cli.hub import Hub

HEALTH = ["Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"]
SYNC = ["Synced", "OutOfSync", "Unknown"]
TIMEOUT_S = 300.0


@click.group()
def app() -> None:
    """Apply, list, sync and delete applications.

    An application is Argo CD's Application (argoproj.io/v1alpha1): a source in Git, and the cluster that should run it.
    """


def timeout_option(function: Any) -> Any:
    """Add `--timeout` to a command that waits."""
    return click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(min=0, min_open=True),
        default=TIMEOUT_S,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait.",
    )(function)


@app.command()
@click.option(
    "-f", "--file", "files", multiple=True, required=True, metavar="FILE|DIR|-",
    help="Applications as YAML or JSON; `-` is standard input; may be repeated.",
)  # fmt: skip
@click.option("-R", "--recursive", is_flag=True, help="Look into the folders of a folder too.")
@click.option("--dry-run", is_flag=True, help="Have the hub check them, and change nothing.")
@hub_option
@output_option
def apply(files: tuple[str, ...], recursive: bool, dry_run: bool, state: Path | None, output: Format) -> None:
    """Create or update applications.

    Each document's outcome is a line. One that is refused does not stop the others; the exit status is then 1.
    """
    from outrider_cli.documents import read_all

    documents = list(read_all(files, recursive=recursive))

    def tell(outcome: Outcome) -> None:
        if output == "table":
            _tell(outcome)

    async def applied(hub: Hub) -> list[Outcome]:
        return await apply_each(hub, documents, dry_run=dry_run, tell=tell)

    outcomes = asking(state, applied)
    if output != "table":
        emit(outcomes, output, lambda: "")
    if any("error" in one for one in outcomes):
        raise Reported


def _tell(outcome: Outcome) -> None:
    where = place_of(outcome)
    for warning in outcome.get("warnings", ()):
        note(f"{where}: warning: {warning}")
    if "error" in outcome:
        named = outcome["name"] and outcome["name"] not in outcome["error"]
        name = f"application/{outcome['name']}: " if named else ""
        note(f"{where}: {name}{outcome['error']}")
        return
    dry = " (dry run)" if outcome["dryRun"] else ""
    # The name is the hub's answer, and so checked by it; still nothing of a hub is printed raw.
    line = styled(f"application/{outcome['name']} {outcome['result']}{dry}", "").plain
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@app.command("list")
@click.option("--cluster", help="Only those destined for this cluster.")
@click.option(
    "--health", type=click.Choice(HEALTH, case_sensitive=False), help="Only those with this health."
)
@click.option(
    "--sync", type=click.Choice(SYNC, case_sensitive=False), help="Only those with this sync status."
)
@hub_option
@output_option
def list_applications(
    cluster: str | None, health: str | None, sync: str | None, state: Path | None, output: Format
) -> None:
    """List applications, with what is known of them and how old that is."""

    async def everything(hub: Hub) -> list[dict[str, Any]]:
        pages = hub.pages(subjects.status_query("apps"), cluster=cluster, health=health, sync=sync)
        return [item async for item in pages]

    items = asking(state, everything)
    emit(items, output, lambda: application_tables.listed(items))


@app.command()
@click.argument("name")
@hub_option
@output_option
def get(name: str, state: Path | None, output: Format) -> None:
    """Show application NAME: what it should be, what it is, and each of its objects."""

    async def both(hub: Hub) -> dict[str, Any]:
        known = await hub.registry("app.get", name=name)
        try:
            seen = await _seen(hub, name)
        except Failed as error:
            note(f"its status is not known: {error.format_message()}")
            seen = {}
        return {**known, "status": seen}

    item = asking(state, both)
    emit(item, output, lambda: application_tables.shown(item))


async def _seen(hub: Hub, name: str) -> dict[str, Any]:
    seen = dict(await hub.status("app", name=name))
    if seen.get("truncated"):
        # Too many objects for one answer.
        pages = hub.pages(subjects.status_query("resources"), name=name)
        seen["document"] = {**seen["document"], "resources": [dict(item) async for item in pages]}
    return seen


@app.command()
@click.argument("name")
@click.option(
    "--cascade/--no-cascade",
    default=None,
    help="Whether its objects on the cluster go with it. [default: as its finalizer says]",
)
@click.option("--wait", is_flag=True, help="Wait until its cluster has said that it is gone.")
@timeout_option
@hub_option
@output_option
def delete(
    name: str, cascade: bool | None, wait: bool, timeout_s: float, state: Path | None, output: Format
) -> None:
    """Delete application NAME. A cluster that is away learns of it when it returns."""

    async def gone(hub: Hub) -> dict[str, Any]:
        answer = await hub.registry("app.delete", name=name, cascade=cascade)
        if wait:
            await waiting.until_gone(hub, name, timeout_s)
            return {**answer, "name": name, "result": "deleted"}
        return answer

    answer = asking(state, gone)
    emit(answer, output, lambda: styled(f"application/{name} {answer['result']}", ""))


@app.command()
@click.argument("name")
@click.option("--prune", is_flag=True, help="Delete what is no longer in Git.")
@click.option("--dry-run", is_flag=True, help="Let the cluster's API server check it, and change nothing.")
@click.option(
    "--resource", "resources", multiple=True, callback=syncing.selectors, metavar="GROUP:KIND:[NAMESPACE/]NAME",
    help="Only this object, as apps:Deployment:shop/web or :ConfigMap:shop/settings; may be repeated.",
)  # fmt: skip
@click.option("--wait", is_flag=True, help="Wait until it has finished; exit status 1 if it did not succeed.")
@timeout_option
@hub_option
@output_option
def sync(name: str, wait: bool, timeout_s: float, state: Path | None, output: Format, **given: Any) -> None:
    """Sync application NAME now, whether or not it does so by itself. Its cluster must be online."""
    wanted = syncing.Sync(name, **given)
    answer = asking(state, lambda hub: syncing.sync(hub, wanted, timeout_s if wait else None))
    emit(answer, output, lambda: syncing.as_table(answer))
    if syncing.failed(answer):
        raise Reported


@app.command("wait")
@click.argument("name")
@click.option("--healthy", is_flag=True, help="Until it is Healthy.")
@click.option("--synced", is_flag=True, help="Until it is Synced at the newest revision.")
@timeout_option
@hub_option
@output_option
def wait_for(
    name: str, healthy: bool, synced: bool, timeout_s: float, state: Path | None, output: Format
) -> None:
    """Wait until application NAME is synced and healthy (or only one of the two).

    Only what its cluster has said lately counts. Exit status 1 when the time is over.
    """
    goal = waiting.Goal(synced=synced or not healthy, healthy=healthy or not synced)

    async def reached(hub: Hub) -> dict[str, Any]:
        await hub.registry("app.get", name=name)
        return await waiting.until(hub, name, goal, timeout_s)

    item = asking(state, reached)
    emit(item, output, lambda: application_tables.listed([item]))
