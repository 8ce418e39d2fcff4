"""`outrider app delete`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from outrider_cli.app import waiting
from outrider_cli.app.options import name_argument, timeout_option
from outrider_cli.asking import asking
from outrider_cli.output import Format, emit, objects_option, styled
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from pathlib import Path

    from outrider_cli.hub import Hub


@click.command()
@name_argument
@click.option(
    "--cascade/--no-cascade",
    default=None,
    help="Whether its objects on the cluster go with it. [default: as its finalizer says]",
)
@click.option("--wait", is_flag=True, help="Wait until its cluster has said that it is gone.")
@timeout_option
@hub_option
@objects_option
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
    emit(
        answer,
        output,
        lambda: styled(f"application/{name} {answer['result']}", ""),
        names=[f"application/{name}"],
    )
