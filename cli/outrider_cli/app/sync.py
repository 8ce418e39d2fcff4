"""`outrider app sync`: ask the application's cluster to sync, and see what becomes of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from outrider_cli.app import operation, waiting
from outrider_cli.app.options import RESOURCE_FORM, name_argument, selectors, timeout_option, user_option
from outrider_cli.asking import asking
from outrider_cli.failure import Refused, Reported
from outrider_cli.output import Format, emit, objects_option, styled
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from rich.console import RenderableType

    from outrider_cli.hub import Hub

_TELL_APART_S = 2.0
# Operations are told apart by when they began, which the edge writes in whole seconds.


def sync_options(
    _context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    """Return sync options; a usage error names the one that is none."""
    for one in given:
        name, equals, value = one.partition("=")
        if not (name and equals and value):
            raise click.BadParameter(f"{one!r} is no sync option: write it as NAME=VALUE, as Validate=false")
    return given


@click.command()
@name_argument
@click.option(
    "--revision", metavar="REVISION", help="Another revision than the one that is desired, this once."
)
@click.option("--prune", is_flag=True, help="Delete what is no longer in Git.")
@click.option("--dry-run", is_flag=True, help="Let the cluster's API server check it, and change nothing.")
@click.option(
    "--resource", "resources", multiple=True, callback=selectors, metavar=RESOURCE_FORM,
    help="Only this object, as apps:Deployment:shop/web or :ConfigMap:shop/settings; may be repeated.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Delete and create anew what can't be changed (Force=true).")
@click.option("--replace", is_flag=True, help="Replace objects instead of applying them (Replace=true).")
@click.option("--apply-only", is_flag=True, help="Run no hooks.")
@click.option(
    "--urgent", is_flag=True, help="Even while the site holds it. No sync window is passed by that."
)
@click.option(
    "--option", "options", multiple=True, callback=sync_options, metavar="NAME=VALUE",
    help="A sync option of Argo CD, as ServerSideApply=false; may be repeated.",
)  # fmt: skip
@click.option("--wait", is_flag=True, help="Wait until it has finished; exit status 1 if it did not succeed.")
@timeout_option
@user_option
@hub_option
@objects_option
def sync(name: str, wait: bool, timeout_s: float, state: Path | None, output: Format, **given: Any) -> None:
    """Sync application NAME now, whether or not it does so by itself. Its cluster must be online."""
    wanted = request(**given)

    async def asked(hub: Hub) -> dict[str, Any]:
        return await hub.registry("app.sync", name=name, **wanted)

    answer = asking(state, lambda hub: begun(hub, name, asked, timeout_s if wait else None))
    emit(answer, output, lambda: as_table(answer, "sync"), names=[f"application/{name}"])
    if failed(answer):
        raise Reported


def request(
    *,
    revision: str | None,
    prune: bool,
    dry_run: bool,
    resources: tuple[dict[str, str], ...],
    force: bool,
    replace: bool,
    apply_only: bool,
    urgent: bool,
    options: tuple[str, ...],
    user: str,
) -> dict[str, Any]:
    """Return what is asked for; what was not given is None, and left out."""
    flags = [("Force=true", force), ("Replace=true", replace)]
    wanted = [*(option for option, given in flags if given), *options]
    return {
        "revision": revision,
        "prune": prune or None,
        "dry_run": dry_run or None,
        "resources": list(resources) or None,
        "options": wanted or None,
        "strategy": "apply" if apply_only else None,
        "urgent": urgent or None,
        "initiated_by": user,
    }


async def begun(
    hub: Hub, name: str, ask: Callable[[Hub], Awaitable[dict[str, Any]]], wait_s: float | None
) -> dict[str, Any]:
    """Start an operation; return the agent's answer, with `operationState` of the finished one if it was waited for."""
    before = await _last_operation(hub, name) if wait_s is not None else {}
    found = {"name": name, **(await ask(hub))}
    if wait_s is None:
        return found
    item = await waiting.until(hub, name, waiting.Goal(operation_after=before), wait_s)
    return {**found, "operationState": operation.of(item)}


async def _last_operation(hub: Hub, name: str) -> dict[str, Any]:
    try:
        last = operation.of(await hub.status("app", name=name))
    except Refused:
        # Nothing is known of it yet; whether it exists is for the registry to say.
        return {}
    started = str(last.get("startedAt", ""))
    if started >= _timestamp(datetime.now(UTC) - timedelta(seconds=_TELL_APART_S)):
        await asyncio.sleep(_TELL_APART_S)
    return last


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def failed(answer: dict[str, Any]) -> bool:
    """Say whether a finished operation did not succeed."""
    state = answer.get("operationState")
    return state is not None and state.get("phase") != "Succeeded"


def as_table(answer: dict[str, Any], word: str) -> RenderableType:
    """Return what became of it; of each object if it has finished."""
    state = answer.get("operationState")
    if state is None:
        return styled(f"application/{answer['name']} {word} {answer.get('result', 'started')}", "")
    return operation.as_table(state, word)
