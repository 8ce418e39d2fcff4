"""The live table of the demo."""

import asyncio
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from outrider.bus import BusError
from outrider_playground.demo.fleet import Fleet

REFRESH_S = 0.5
_HEALTH = {
    "Healthy": "green",
    "Progressing": "cyan",
    "Degraded": "red",
    "Suspended": "yellow",
    "Missing": "yellow",
}


async def show(fleet: Fleet, console: Console) -> None:
    """Show the fleet until cancelled."""
    with Live(console=console, auto_refresh=False, screen=False) as live:
        while True:
            try:
                live.update(Group(await _table(fleet), _hints(fleet)), refresh=True)
            except BusError as error:
                live.update(Text(f"the hub does not answer: {error}", style="red"), refresh=True)
            await asyncio.sleep(REFRESH_S)


async def _table(fleet: Fleet) -> Table:
    items = await fleet.hub.applications()
    table = Table(title="Outrider demo fleet")
    for heading in (
        "application",
        "cluster",
        "presence",
        "sync",
        "health",
        "last word",
        "revision",
        "wan bytes",
    ):
        table.add_column(heading)
    for item in sorted(items, key=lambda one: (one["cluster"], one["name"])):
        fresh = item["freshness"] == "fresh"
        edge = next((edge for edge in fleet.edges if edge.name == item["cluster"]), None)
        table.add_row(
            item["name"],
            item["cluster"],
            Text(item["presence"], style="green" if item["presence"] == "online" else "red"),
            item["sync"],
            # Nothing is green that has not been heard of lately.
            Text(item["health"], style=_HEALTH.get(item["health"], "white") if fresh else "dim"),
            Text(_last_word(item), style="" if fresh else "yellow"),
            str(item["revision"])[:7],
            f"{sum(edge.wan_bytes().values()):,}" if edge else "",
        )
    return table


def _last_word(item: dict[str, Any]) -> str:
    """Return how old the last word is, and why it is not to be taken for what is."""
    age = "never heard of" if item["age_s"] is None else f"{item['age_s']} s ago"
    return age if item["freshness"] == "fresh" else f"{age}, {item['freshness']}"


def _hints(fleet: Fleet) -> Text:
    repository, edge = fleet.repository.folder, fleet.edges[2]
    return Text(
        f"1. change a tag in {repository}/shop/deployment.yaml and `git commit -am bump`: every edge follows\n"
        f"2. type `cut edge-2` or `restore edge-2` and Enter: the edge works on, the hub says how old its word is\n"
        f"3. commit an image tag `broken`: Degraded on every edge, until the next commit\n"
        f"4. `kill -9 {edge.agent.pid or 'PID'}` is the agent of {edge.name}; type `start {edge.name}`: it goes on where it was",
        style="dim",
    )
