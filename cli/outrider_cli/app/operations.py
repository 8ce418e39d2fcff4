"""`outrider app terminate`, `refresh`, `rollback` and `approve`: requests to an application's cluster besides a sync."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from outrider_cli import freshness
from outrider_cli.app import history, sync
from outrider_cli.app.options import RESOURCE_FORM, name_argument, selectors, timeout_option, user_option
from outrider_cli.app.seen import known
from outrider_cli.asking import asking
from outrider_cli.failure import Failed, Reported, note
from outrider_cli.output import Format, emit, objects_option, styled
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from pathlib import Path

    from outrider_cli.hub import Hub


def _answered(state: Path | None, output: Format, verb: str, done: str, name: str, **given: Any) -> None:
    async def asked(hub: Hub) -> dict[str, Any]:
        return await hub.registry(verb, name=name, **given)

    answer = {"name": name, **asking(state, asked)}
    for warning in answer.get("warnings") or ():
        note(f"warning: {warning}")
    emit(
        answer,
        output,
        lambda: styled(f"application/{name} {done}", ""),
        names=[f"application/{name}"],
    )


@click.command()
@name_argument
@user_option
@hub_option
@objects_option
def terminate(name: str, user: str, state: Path | None, output: Format) -> None:
    """Stop the sync of application NAME that runs. What it has applied stays. Its cluster must be online."""
    _answered(state, output, "app.terminate", "terminating", name, initiated_by=user)


@click.command()
@name_argument
@click.option(
    "--hard", is_flag=True, help="Render its source anew, and forget what was found out about its objects."
)
@hub_option
@objects_option
def refresh(name: str, hard: bool, state: Path | None, output: Format) -> None:
    """Look at application NAME again now: at its objects on the cluster, with --hard at its source as well."""
    _answered(state, output, "app.refresh", "refreshed", name, hard=hard or None)


@click.command()
@name_argument
@click.option(
    "--resource", "resources", multiple=True, callback=selectors, metavar=RESOURCE_FORM,
    help="Only this object, as apps:Deployment:shop/web; may be repeated. [default: all that wait]",
)  # fmt: skip
@user_option
@hub_option
@objects_option
def approve(
    name: str, resources: tuple[dict[str, str], ...], user: str, state: Path | None, output: Format
) -> None:
    """Confirm what application NAME wants to delete, of its objects with Prune=confirm or Delete=confirm."""
    wanted = list(resources) or None
    _answered(state, output, "app.approve", "approved", name, resources=wanted, initiated_by=user)


@click.command()
@name_argument
@click.argument("number", metavar="[ID]", required=False, type=click.IntRange(min=0))
@click.option("--prune", is_flag=True, help="Delete what was not there then.")
@click.option("--dry-run", is_flag=True, help="Let the cluster's API server check it, and change nothing.")
@click.option("--wait", is_flag=True, help="Wait until it has finished; exit status 1 if it did not succeed.")
@timeout_option
@user_option
@hub_option
@objects_option
def rollback(
    name: str,
    number: int | None,
    prune: bool,
    dry_run: bool,
    wait: bool,
    timeout_s: float,
    user: str,
    state: Path | None,
    output: Format,
) -> None:
    """Go back to what application NAME was at: to ID of its history, or to the one before the newest.

    The cluster has kept what it deployed, so nothing is fetched. An application that syncs by itself goes forward again.
    """

    async def asked(hub: Hub) -> dict[str, Any]:
        chosen = number if number is not None else await _previous(hub, name)
        return await hub.registry(
            "app.rollback",
            name=name,
            id=chosen,
            prune=prune or None,
            dry_run=dry_run or None,
            initiated_by=user,
        )

    answer = asking(state, lambda hub: sync.begun(hub, name, asked, timeout_s if wait else None))
    emit(answer, output, lambda: sync.as_table(answer, "rollback"), names=[f"application/{name}"])
    if sync.failed(answer):
        raise Reported


async def _previous(hub: Hub, name: str) -> int:
    entries = history.entries(await known(hub, name))
    if len(entries) < 2:
        raise Failed(f"application {name!r} has no earlier deployment: its history holds {len(entries)}")
    previous = entries[-2]
    note(f"to {previous['id']}: {freshness.short_revision(previous.get('revision')) or 'revision not known'}")
    return int(previous["id"])
