"""`outrider agent`: become the agent of one cluster, outside of it; and ask the one that runs here (`edge_agent.local`).

What asks is of the agent itself, made of the standard library, so that the same commands work in the agent's image, which holds
nothing else: they are handed on as they are typed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from outrider_cli.failure import Failed

REPLICAS = Path("~/.local/share/outrider-agent")
ON_SITE = {
    "status": "Show the link, holds, and each application with what it waits for.",
    "sync": "Sync an application now.",
    "refresh": "Look at an application again.",
    "rollback": "Go back to what was deployed before, and hold it there.",
    "terminate": "Stop the sync that runs.",
    "hold": "Hold applications, or the whole cluster, for a while.",
    "release": "End holds.",
    "journal": "Print what happened here.",
    "import": "Take in what `outrider bundle export` made.",
}


@click.group(invoke_without_command=True, subcommand_metavar="[COMMAND [ARGS]...]")
@click.option(
    "--credentials",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="OUTRIDER_CREDENTIALS",
    show_envvar=True,
    help="The file made by `outrider cluster add --credentials-only`.",
)
@click.option(
    "--kubeconfig",
    metavar="FILE",
    help="How to reach the cluster. [default: $KUBECONFIG, else ~/.kube/config]",
)
@click.option("--context", help="The context of the kubeconfig, instead of its current one.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"A folder for the agent's replica, one an agent. [default: {REPLICAS}/<cluster>]",
)
@click.pass_context
def agent(
    ctx: click.Context,
    credentials: Path | None,
    kubeconfig: str | None,
    context: str | None,
    state: Path | None,
) -> None:
    """Run the agent of one cluster in the foreground, until it is interrupted; or ask the one that runs here.

    It dials out to the hub, keeps its own copy of what the cluster should run, and goes on without the hub when the link is
    down. Inside the cluster, `outrider cluster add` without --credentials-only does all this by one manifest.

    The commands ask the agent of this machine, and work without the hub. In its Pod:
    `kubectl -n outrider exec deploy/outrider-agent -- outrider agent status`.
    """
    if ctx.invoked_subcommand is not None:
        ctx.obj = state
        return
    if credentials is None:
        raise click.UsageError(
            "give --credentials FILE, made by `outrider cluster add NAME --credentials-only`"
        )
    name = _cluster_of(credentials)
    folder = (state or REPLICAS / name).expanduser()
    environment = {
        **os.environ,
        "OUTRIDER_CREDENTIALS": str(credentials),
        "OUTRIDER_STATE": str(folder),
        **({"KUBECONFIG": kubeconfig} if kubeconfig else {}),
        **({"OUTRIDER_CONTEXT": context} if context else {}),
    }
    _check_folder(folder)
    sys.stdout.flush()
    sys.stderr.flush()
    # The agent takes this process's place: signals and the exit status are its own.
    os.execve(sys.executable, [sys.executable, "-m", "edge_agent"], environment)  # noqa: S606 - no shell wanted


def _on_site(name: str, summary: str) -> None:
    """Add a command that is handed on as it is typed."""

    @agent.command(
        name, short_help=summary, add_help_option=False, context_settings={"ignore_unknown_options": True}
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    @click.pass_context
    def command(ctx: click.Context, arguments: tuple[str, ...]) -> None:
        from edge_agent.local.command import run

        given = any(one == "--state" or one.startswith("--state=") for one in arguments)
        state = [f"--state={ctx.obj}"] if ctx.obj is not None and not given else []
        ctx.exit(run([name, *state, *arguments]))


for _name, _summary in ON_SITE.items():
    _on_site(_name, _summary)


def _cluster_of(file: Path) -> str:
    from outrider.identity import credentials
    from outrider.identity.accounts import HUB_ROLES

    try:
        user = credentials.load(file).user
    except credentials.InvalidCredentials as error:
        raise Failed(str(error)) from error
    if user.is_pool or user.name in HUB_ROLES:
        whose = f"pool {user.name!r}" if user.is_pool else f"the hub ({user.name!r})"
        raise Failed(
            f"{file} holds the identity of {whose}, not a cluster's: make one with `outrider cluster add NAME --credentials-only`"
        )
    return user.name


def _check_folder(folder: Path) -> None:
    if (folder / "trust.json").exists():
        raise Failed(f"{folder} is the folder of a hub: choose another --state for the agent")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Failed(
            f"can't make the agent's folder {folder}: {error.strerror}; choose another --state"
        ) from error
