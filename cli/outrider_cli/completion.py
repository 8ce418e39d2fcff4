"""`outrider completion`, and the completion of names that only a hub knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from outrider_cli.asking import asking

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from outrider_cli.hub import Hub

NAMES_MAX = 500


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion of SHELL, to be read by it: `source <(outrider completion bash)`."""
    from click.shell_completion import get_completion_class

    from outrider_cli.__main__ import cli

    made = get_completion_class(shell)
    if made is not None:
        click.echo(made(cli, {}, "outrider", "_OUTRIDER_COMPLETE").source())


def applications(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of applications that begin so."""
    return _names(
        context, incomplete, lambda hub: hub.status("apps", name=incomplete or None, limit=NAMES_MAX)
    )


def clusters(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of clusters that begin so."""
    return _names(context, incomplete, lambda hub: hub.registry("cluster.list", limit=NAMES_MAX))


def pools(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of pools that begin so."""
    return _names(context, incomplete, lambda hub: hub.registry("pool.list", limit=NAMES_MAX))


def _names(
    context: click.Context, incomplete: str, ask: Callable[[Hub], Awaitable[dict[str, Any]]]
) -> list[str]:
    try:
        items = asking(context.params.get("state"), ask)["items"]
    except Exception:  # noqa: BLE001 - nobody who presses a tab wants to read why there is nothing
        return []
    return [name for item in items if (name := str(item["name"])).startswith(incomplete)]
