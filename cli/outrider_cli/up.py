"""`outrider init` and `outrider up`: a hub on one machine."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outrider_cli import state_folder
from outrider_cli.failure import note
from outrider_cli.output import Format, emit, fields, output_option, styled
from outrider_cli.server_urls import server_urls

if TYPE_CHECKING:
    from rich.console import RenderableType

    from outrider_cli.identity_folder import Prepared

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
_HOST_MAX_CHARS = 253


def hosts(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Return DNS names and addresses; a usage error names the one that is none."""
    for one in given:
        try:
            ipaddress.ip_address(one)
        except ValueError as error:
            if len(one) > _HOST_MAX_CHARS or not _HOST.fullmatch(one):
                raise click.BadParameter(
                    f"{one!r} is no host name or address (without scheme and port)"
                ) from error
    return given


def metrics(_context: click.Context, _parameter: click.Parameter, given: str | None) -> str | None:
    """Return where metrics are served; a usage error shows the form."""
    host, colon, port = (given or "off").rpartition(":")
    if given not in (None, "off") and not (host and colon and port.isdecimal()):
        raise click.BadParameter(f"{given!r}: write HOST:PORT, as 127.0.0.1:9464, or off")
    return given


state_option = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="The hub's folder: its keys and all of its data. [default: $OUTRIDER_STATE, else ~/.local/share/outrider]",
)
host_option = click.option(
    "--host", "names", multiple=True, callback=hosts, metavar="NAME",
    help="A name or address by which edges reach this machine; may be repeated.",
)  # fmt: skip


@click.command()
@state_option
@host_option
@click.option(
    "--server", "servers", multiple=True, callback=server_urls, metavar="URL",
    help="Where edges reach the hub, if that is not --host: tls://hub.example.com:4222; may be repeated.",
)  # fmt: skip
@output_option
def init(state: Path | None, names: tuple[str, ...], servers: tuple[str, ...], output: Format) -> None:
    """Make the keys and certificates of a hub, without starting it.

    `outrider up` does this by itself. Doing it again changes nothing, but for names and addresses that are given anew.
    """
    from outrider_cli.identity_folder import prepare, url_host

    folder = (state or state_folder.default()).expanduser().resolve()
    told = servers or tuple(f"tls://{url_host(name)}:4222" for name in names)
    with state_folder.locked(folder):
        prepared = prepare(folder, names, told)
    answer = {
        "state": str(folder),
        "result": "made" if prepared.made else "kept",
        "servers": list(prepared.servers),
        "credentials": str(folder / state_folder.PERSON),
    }
    emit(answer, output, lambda: _made(folder, prepared))


def _made(folder: Path, prepared: Prepared) -> RenderableType:
    result = (
        "made" if prepared.made else "certificate issued again" if prepared.reissued else "was there already"
    )
    return fields(
        [
            ("identity", f"{folder}: {result}"),
            ("edges reach it at", ", ".join(prepared.servers)),
            ("next", f"outrider up{state_folder.option_for(folder)}"),
        ]
    )


@click.command()
@state_option
@host_option
@click.option(
    "--listen", metavar="HOST",
    help="The address to listen on. [default: 127.0.0.1; with --host 0.0.0.0, which is every address of this machine]",
)  # fmt: skip
@click.option(
    "--port", type=click.IntRange(0, 65535), default=4222, show_default=True, help="0 takes a free one."
)
@click.option(
    "--websocket-port",
    type=click.IntRange(0, 65535),
    help="Also listen for agents that can only use HTTPS (wss://).",
)
@click.option(
    "--poll-interval", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
    help="Between looks at a Git repository. [default: 60]",
)  # fmt: skip
@click.option(
    "--local-repositories/--no-local-repositories", default=True, show_default=True,
    help="Read repositories on this machine (file://) and in private networks too. Switch it off where others than you apply applications.",
)  # fmt: skip
@click.option(
    "--metrics", callback=metrics, metavar="HOST:PORT",
    help="Where Prometheus finds the fleet's metrics, or off. [default: 127.0.0.1:9464]",
)  # fmt: skip
@output_option
def up(state: Path | None, output: Format, **given: Any) -> int:
    """Run a whole hub on this machine, in the foreground, until it is interrupted.

    The first time it makes keys and certificates. Without --host only this machine can reach the hub, which is enough to try
    it; with --host NAME edges elsewhere reach it at that name.
    """
    from outrider import process
    from outrider_cli.running import Hub, Wanted

    folder = (state or state_folder.default()).expanduser().resolve()
    wanted = Wanted(folder, **given)
    with state_folder.locked(folder):
        hub = Hub.prepared(wanted, say=note)
        return process.run(hub.run(lambda answer: emit(answer, output, lambda: _ready(folder, answer))))


def _ready(folder: Path, answer: dict[str, Any]) -> RenderableType:
    from rich.console import Group

    option = state_folder.option_for(folder)
    return Group(
        styled("The hub is up.", "bold green"),
        fields(
            [
                ("listens on", str(answer["listens"])),
                ("edges reach it at", ", ".join(answer["servers"])),
                ("folder", str(folder)),
                (
                    "credentials",
                    f"{answer['credentials']}   (for `outrider` on other machines: $OUTRIDER_CREDENTIALS)",
                ),
                ("next", f"outrider cluster add NAME{option}   (in another terminal)"),
            ]
        ),
    )
