"""`outrider agent`: become the agent of one cluster, outside of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from outrider_cli.failure import Failed

REPLICAS = Path("~/.local/share/outrider-agent")


@click.command()
@click.option(
    "--credentials",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="OUTRIDER_CREDENTIALS",
    required=True,
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
def agent(credentials: Path, kubeconfig: str | None, context: str | None, state: Path | None) -> None:
    """Run the agent of one cluster in the foreground, until it is interrupted.

    It dials out to the hub, keeps its own copy of what the cluster should run, and goes on without the hub when the link is
    down. Inside the cluster, `outrider cluster add` without --credentials-only does all this by one manifest.
    """
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
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failed(
            f"can't make the agent's folder {folder}: {error.strerror}; choose another --state"
        ) from error
