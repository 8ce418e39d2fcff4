"""`outrider pool`: who renders the repositories that the hub itself can't or shouldn't reach."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outrider import subjects
from outrider.names import InvalidName, pool_name
from outrider_cli import completion, freshness, pool_identity
from outrider_cli.asking import asking
from outrider_cli.output import Format, emit, fields, objects_option, output_option, styled, table
from outrider_cli.server_urls import server_urls
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from outrider_cli.hub import Hub


@click.group()
def pool() -> None:
    """Add, list and remove pools of renderers.

    A renderer of a pool runs next to a private Git server and dials out to the hub (`outrider renderer`). It renders the repositories
    that were added with `outrider repo add URL --pool NAME`, and nothing else.
    """


def checked_name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Return a pool's name; a usage error if it can't be one."""
    try:
        return pool_name(value)
    except InvalidName as error:
        raise click.BadParameter(str(error)) from error


@pool.command()
@click.argument("name", callback=checked_name)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead of printing."
)
@click.option("--replace", is_flag=True, help="Revoke the identity that the name has, and make another.")
@click.option(
    "--hub-server",
    multiple=True,
    callback=server_urls,
    metavar="URL",
    help="Where its renderers reach the hub (tls:// or wss://), instead of what the hub says; may be repeated.",
)
@hub_option
@output_option
def add(state: Path | None, output: Format, **given: Any) -> None:
    """Make the identity of pool NAME, and print the file that `outrider renderer` takes.

    \b
    outrider pool add berlin > berlin.creds
    outrider repo add https://git.berlin.example/shops.git --pool berlin --username ci --password-stdin < token
    outrider renderer --credentials berlin.creds          (on a machine that reaches both that server and the hub)

    The file holds two secret keys, made here: they are nowhere else. Several renderers of one pool share it; one of them works, the
    others stand by.
    """
    pool_identity.make(state, output, pool_identity.Request(**given))


def _presence(item: dict[str, Any], now: datetime) -> Text:
    if item.get("presence") == "unknown":
        return styled("never connected", freshness.PALE)
    return freshness.presence(item, now)


@pool.command("list")
@hub_option
@objects_option
def list_pools(state: Path | None, output: Format) -> None:
    """List the pools, and whether their renderers are connected."""

    async def everything(hub: Hub) -> list[dict[str, Any]]:
        return [item async for item in hub.pages(subjects.registry("pool.list"))]

    items = asking(state, everything)
    emit(items, output, lambda: _as_table(items), names=(f"pool/{item['name']}" for item in items))


def _as_table(items: list[dict[str, Any]]) -> RenderableType:
    if not items:
        return styled(
            "No pools: the hub itself renders every repository. `outrider pool add NAME` makes one.", ""
        )
    now = datetime.now().astimezone()
    rows: list[list[str | Text]] = [
        [
            str(item["name"]),
            _presence(item, now),
            str(item.get("repositories", "")),
            str(item.get("applications", "")),
            freshness.ago(item.get("created_at_ms"), now),
        ]
        for item in items
    ]
    return table(["NAME", "PRESENCE", "REPOSITORIES", "APPLICATIONS", "ADDED"], rows)


@pool.command()
@click.argument("name", callback=checked_name, shell_complete=completion.pools)
@hub_option
@objects_option
def get(name: str, state: Path | None, output: Format) -> None:
    """Show one pool: which renderers are connected, and what they render."""

    async def found(hub: Hub) -> dict[str, Any]:
        return await hub.registry("pool.get", name=name)

    item = asking(state, found)
    emit(item, output, lambda: _as_fields(item), names=[f"pool/{name}"])


def _as_fields(item: dict[str, Any]) -> RenderableType:
    now = datetime.now().astimezone()
    works, *waiting = [f"{one['name']} {one['version']}" for one in item.get("renderers") or ()] or [""]
    return fields(
        [
            ("name", str(item["name"])),
            ("added", freshness.ago(item.get("created_at_ms"), now)),
            ("presence", _presence(item, now)),
            ("works", works),
            ("stand by", ", ".join(waiting)),
            ("repositories", "\n".join(str(url) for url in item.get("urls") or ())),
            ("applications", str(item.get("applications", ""))),
        ]
    )


@pool.command()
@click.argument("name", callback=checked_name, shell_complete=completion.pools)
@click.option("--force", is_flag=True, help="Even while repositories name it.")
@hub_option
@objects_option
def remove(name: str, force: bool, state: Path | None, output: Format) -> None:
    """Remove pool NAME and revoke its identity: its renderers are disconnected at once and can't come back.

    What they have rendered stays in force. Give its repositories to another pool first, with `outrider repo add URL --pool POOL`.
    """

    async def gone(hub: Hub) -> dict[str, Any]:
        return await hub.registry("pool.remove", name=name, force=force or None)

    answer = {"name": name, "result": "removed", **asking(state, gone)}
    emit(answer, output, lambda: styled(f"pool/{name} removed", ""), names=[f"pool/{name}"])
