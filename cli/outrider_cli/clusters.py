"""`outrider cluster`: make an edge cluster's identity, list clusters, remove one for good."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outrider import subjects
from outrider_cli import about, completion, enrolling, freshness, manifest, removing, sizes
from outrider_cli.asking import asking
from outrider_cli.cluster_names import checked_name
from outrider_cli.failure import Failed, note
from outrider_cli.output import (
    AnyFunction,
    Format,
    emit,
    fields,
    objects_option,
    output_option,
    styled,
    table,
)
from outrider_cli.server_urls import server_urls
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from outrider_cli.hub import Hub


_COUNTED = ("healthy", "degraded", "out of sync", "unknown")


@click.group()
def cluster() -> None:
    """Add, list, change and remove edge clusters.

    A cluster is known by its name. `cluster add` makes its key on this machine and prints what to apply to it; from then
    on its agent dials out to the hub, and nothing needs to reach the cluster.
    """


def labels(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """Return the labels in `k=v` options; a usage error names the one that is none."""
    pairs = [one.partition("=") for one in given]
    for key, equals, value in pairs:
        if not key or not equals:
            raise click.BadParameter(f"{key}{equals}{value} is no label: write it as key=value")
    return {key: value for key, _, value in pairs}


def site_options(function: AnyFunction) -> AnyFunction:
    """Add what may be set of a cluster's site: `time_zone`, `bytes_per_second`, `bytes_per_day`, `render`; None: not given."""
    options = (
        click.option(
            "--time-zone",
            metavar="ZONE",
            help="In which its sync windows are read, as Europe/Berlin; '' for none of its own.",
        ),
        click.option(
            "--bytes-per-second",
            type=sizes.Size(),
            metavar="SIZE",
            help="What its link may carry, both ways together, as 2k; 0 for no limit.",
        ),
        click.option(
            "--bytes-per-day",
            type=sizes.Size(),
            metavar="SIZE",
            help="What its link may carry from midnight UTC to midnight, as 5M; 0 for no limit.",
        ),
        click.option(
            "--render",
            type=click.Choice(["edge", "hub"]),
            help="Where its applications are rendered that don't say so themselves: by the hub, or by its agent, from Git.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


@cluster.command()
@click.argument("name", callback=checked_name)
@click.option(
    "--label", multiple=True, callback=labels, metavar="K=V", help="A label, for selecting; may be repeated."
)
@click.option("--server", help="The API server's URL as `destination.server` of your applications names it.")
@site_options
@click.option(
    "--credentials-only", is_flag=True, help="Make the file for `outrider agent` instead of a manifest."
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead of printing."
)
@click.option("--replace", is_flag=True, help="Revoke the identity that the name has, and make another.")
@click.option(
    "--hub-server",
    multiple=True,
    callback=server_urls,
    metavar="URL",
    help="Where this cluster reaches the hub (tls:// or wss://), instead of what the hub says; may be repeated.",
)
@click.option(
    "--image",
    help=f"The agent's image, for the manifest. [default: {manifest.IMAGE}; {manifest.RENDERING_IMAGE} with --render edge]",
)
@click.option(
    "--namespace", default="outrider", show_default=True, help="The agent's namespace, for the manifest."
)
@click.option(
    "--ephemeral",
    is_flag=True,
    help="Keep the agent's replica in an emptyDir, for clusters without a StorageClass: a restart offline then has nothing "
    "to start from.",
)
@hub_option
@output_option
def add(state: Path | None, output: Format, **given: Any) -> None:
    """Make the identity of cluster NAME, and print what brings its agent up.

    Prints one manifest for `kubectl apply -f -` on the edge cluster: namespace, service account, rights, Secret, Deployment.
    With --credentials-only it prints the file that `outrider agent --credentials FILE` takes. Either holds a secret key, made
    here: it is nowhere else.
    """
    enrolling.enrol(state, output, enrolling.Request(**given))


@cluster.command("list")
@click.option(
    "--label",
    multiple=True,
    callback=labels,
    metavar="K=V",
    help="Only clusters with this label; may be repeated.",
)
@hub_option
@objects_option
def list_clusters(label: dict[str, str], state: Path | None, output: Format) -> None:
    """List the clusters that the hub knows, and whether they are there."""

    async def everything(hub: Hub) -> list[dict[str, Any]]:
        known = [item async for item in hub.pages(subjects.registry("cluster.list"), labels=label or None)]
        seen: dict[str, dict[str, Any]] = {}
        try:
            async for item in hub.pages(subjects.status_query("clusters")):
                seen[str(item["name"])] = item
        except Failed as error:
            note(f"who is there is not known: {error.format_message()}")
        return [{**freshness.NEVER_KNOWN, **seen.get(str(item["name"]), {}), **item} for item in known]

    items = asking(state, everything)
    emit(
        items,
        output,
        lambda: _as_table(items),
        wide=lambda: _as_table(items, wide=True),
        names=(f"cluster/{item['name']}" for item in items),
    )


def _as_table(items: list[dict[str, Any]], *, wide: bool = False) -> RenderableType:
    if not items:
        return styled("No clusters yet: add one with `outrider cluster add NAME`.", "")
    now = datetime.now().astimezone()
    rows = [
        [
            str(item["name"]),
            freshness.presence(item, now),
            freshness.last_word(item, now),
            _labels_text(item),
            str(item.get("applications", "")),
            styled(str(item.get("state") or ""), "" if item.get("state") == "active" else freshness.STALE),
            freshness.ago(item.get("created_at_ms"), now),
            str(item.get("server") or ""),
            *([str(item.get("time_zone") or ""), str(item.get("public_key") or "")] if wide else ()),
        ]
        for item in items
    ]
    more = ["TIME ZONE", "PUBLIC KEY"] if wide else []
    titles = ["NAME", "PRESENCE", "LAST WORD", "LABELS", "APPLICATIONS", "STATE", "ADDED", "SERVER"]
    return table([*titles, *more], rows)


def _labels_text(item: dict[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((item.get("labels") or {}).items()))


@cluster.command()
@click.argument("name", callback=checked_name, shell_complete=completion.clusters)
@hub_option
@objects_option
def get(name: str, state: Path | None, output: Format) -> None:
    """Show one cluster: what it is, whether it is there, and what runs on it."""

    async def both(hub: Hub) -> dict[str, Any]:
        known = await hub.registry("cluster.get", name=name)
        try:
            seen: dict[str, Any] = await hub.status("cluster", name=name)
        except Failed as error:
            note(f"its status is not known: {error.format_message()}")
            seen = freshness.NEVER_KNOWN
        return {**seen, **known}

    item = asking(state, both)
    emit(item, output, lambda: _as_fields(item), names=[f"cluster/{name}"])


def _as_fields(item: dict[str, Any]) -> RenderableType:
    now = datetime.now().astimezone()
    counted = [(name, item.get(name.replace(" ", "_"))) for name in ("applications", *_COUNTED)]
    return fields(
        [
            ("name", str(item["name"])),
            ("labels", _labels_text(item)),
            ("server", str(item.get("server") or "")),
            ("time zone", str(item.get("time_zone") or "")),
            ("bytes per second", _limit(item, "bytes_per_second")),
            ("bytes per day", _limit(item, "bytes_per_day")),
            ("rendered", "at the edge" if item.get("render") == "edge" else ""),
            ("state", "" if item.get("state") == "active" else str(item.get("state") or "")),
            ("added", freshness.ago(item.get("created_at_ms"), now)),
            ("presence", freshness.presence(item, now) if "presence" in item else ""),
            ("last word", freshness.last_word(item, now) if "presence" in item else ""),
            *((name, "" if value is None else str(value)) for name, value in counted),
            ("last known", _last_known(item, now)),
            *about.rows(item.get("about") or {}),
        ]
    )


def _limit(item: dict[str, Any], name: str) -> str:
    return sizes.shown(item[name]) if item.get(name) else ""


def _last_known(item: dict[str, Any], now: datetime) -> str | Text:
    """Return what was so of a cluster that is away: its counts above are of what is so."""
    if "presence" not in item or freshness.is_fresh(item) or not freshness.is_heard(item):
        return ""
    known = (item.get("last_known") or {}).get("health") or {}
    told = ", ".join(f"{count} {word}" for word, count in known.items() if count)
    return styled(f"{told} as of {freshness.as_of(item, now)}", freshness.STALE) if told else ""


@cluster.command("set")
@click.argument("name", callback=checked_name, shell_complete=completion.clusters)
@click.option(
    "--label", multiple=True, callback=labels, metavar="K=V", help="Add or change a label; may be repeated."
)
@click.option("--remove-label", multiple=True, metavar="K", help="Take a label away; may be repeated.")
@click.option("--server", help="The API server's URL as `destination.server` of your applications names it.")
@site_options
@hub_option
@objects_option
def set_(
    name: str,
    label: dict[str, str],
    remove_label: tuple[str, ...],
    server: str | None,
    state: Path | None,
    output: Format,
    **site: Any,
) -> None:
    """Change what is known of cluster NAME. What is not given stays as it is."""
    site = {option: value for option, value in site.items() if value is not None}
    if not (label or remove_label or site) and server is None:
        raise click.UsageError("nothing to change: give a label, --server or one of the options of its site")

    async def changed(hub: Hub) -> dict[str, Any]:
        wanted = None
        if label or remove_label:
            held = (await hub.registry("cluster.get", name=name)).get("labels") or {}
            wanted = {key: value for key, value in {**held, **label}.items() if key not in remove_label}
        return await hub.registry("cluster.update", name=name, labels=wanted, server=server, **site)

    answer = asking(state, changed)
    emit(answer, output, lambda: _as_fields(answer), names=[f"cluster/{name}"])


for _command in (removing.drain, removing.remove):
    cluster.add_command(_command)
