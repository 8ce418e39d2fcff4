"""`outrider cluster drain` and `remove`: the end of a cluster, one that is there and one that never comes back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from outrider_cli import completion
from outrider_cli.app.options import timeout_option
from outrider_cli.asking import asking
from outrider_cli.cluster_names import checked_name
from outrider_cli.failure import Failed
from outrider_cli.output import Format, emit, objects_option, styled
from outrider_cli.progress import telling
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from outrider_cli.hub import Hub

ASK_EVERY_S = 0.5
SHOWN_MAX = 20


@click.command()
@click.argument("name", callback=checked_name, shell_complete=completion.clusters)
@click.option("--keep-objects", is_flag=True, help="Let the objects of its applications stay on the cluster.")
@click.option("--cancel", is_flag=True, help="Use the cluster again: its applications come back to it.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--wait", is_flag=True, help="Wait until the cluster has said that all of them are gone.")
@timeout_option
@hub_option
@objects_option
def drain(
    name: str,
    keep_objects: bool,
    cancel: bool,
    yes: bool,
    wait: bool,
    timeout_s: float,
    state: Path | None,
    output: Format,
) -> None:
    """Have every application on cluster NAME end, and give it no others.

    The applications stay at the hub and wait for another destination. A cluster that is away carries it out when it returns,
    however late; `outrider cluster remove` then removes it. One that never returns is removed with --lost.
    """

    if not (cancel or yes):
        _confirm(name, asking(state, lambda hub: hub.registry("cluster.get", name=name)), keep_objects)

    async def drained(hub: Hub) -> dict[str, Any]:
        answer = await hub.registry(
            "cluster.drain", name=name, keep=keep_objects or None, cancel=cancel or None
        )
        return await _until_drained(hub, name, timeout_s) if wait and not cancel else answer

    answer = asking(state, drained)
    left = f", {_applications(len(answer['left']))} left" if answer["left"] and not cancel else ""
    emit(
        answer,
        output,
        lambda: styled(f"cluster/{name} {answer['state']}{left}", ""),
        names=[f"cluster/{name}"],
    )


def _confirm(name: str, item: dict[str, Any], keep_objects: bool) -> None:
    """Have a person say that so much may end at once."""
    count = int(item.get("applications") or 0)
    objects = "their objects stay" if keep_objects else "their objects are deleted"
    if count and not click.confirm(f"End {_applications(count)} on cluster {name} ({objects})?", err=True):
        raise Failed("nothing was changed; give --yes where nobody can be asked")


def _applications(count: int) -> str:
    return f"{count} application" + "s" * (count != 1)


async def _until_drained(hub: Hub, name: str, timeout_s: float) -> dict[str, Any]:
    try:
        async with asyncio.timeout(timeout_s), telling() as tell:
            while True:
                answer = await hub.registry("cluster.get", name=name)
                if not answer.get("left"):
                    return {"name": name, "state": answer["state"], "left": []}
                tell(f"{_applications(len(answer['left']))} left on {name}")
                await asyncio.sleep(ASK_EVERY_S)
    except TimeoutError as error:
        raise Failed(
            f"cluster {name} has not said within {timeout_s:g} s that all is gone; it goes on as soon as it is connected. "
            f"If it never returns: outrider cluster remove {name} --lost"
        ) from error


@click.command()
@click.argument("name", callback=checked_name, shell_complete=completion.clusters)
@click.option(
    "--lost",
    is_flag=True,
    help="Give it up: it never returns, and what it runs is orphaned. Says what that is.",
)
@hub_option
@objects_option
def remove(name: str, lost: bool, state: Path | None, output: Format) -> None:
    """Remove cluster NAME and revoke its identity: its agent is disconnected at once and can't come back.

    What runs on the cluster goes on running, so one with applications is drained first (`outrider cluster drain NAME --wait`),
    or given up with --lost.
    """

    async def gone(hub: Hub) -> dict[str, Any]:
        return await hub.registry("cluster.remove", name=name, lost=lost or None)

    answer = {"name": name, "result": "removed", **asking(state, gone)}
    emit(answer, output, lambda: _as_lines(answer), names=[f"cluster/{name}"])


def _as_lines(answer: dict[str, Any]) -> RenderableType:
    from rich.console import Group

    lines = [f"cluster/{answer['name']} removed"]
    for item in answer.get("left") or ():
        resources, more = item["resources"], int(item.get("more") or 0)
        shown = resources[:SHOWN_MAX]
        more += len(resources) - len(shown)
        rest = f" and {more} more" if more else ""
        lines.append(f"left behind of {item['app']}: {', '.join(shown) or 'nothing is known'}{rest}")
    return Group(*(styled(line, "") for line in lines))
