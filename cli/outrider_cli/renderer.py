"""`outrider renderer`: become a renderer of one pool, next to the Git server that it is for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from outrider_cli.failure import Failed

CLONES = Path("~/.local/share/outrider-renderer")


@click.command()
@click.option(
    "--credentials",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="OUTRIDER_CREDENTIALS",
    required=True,
    show_envvar=True,
    help="The file made by `outrider pool add`.",
)
@click.option("--pool", help="The pool that is meant, to be sure. [default: as the credentials say]")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"A folder for clones, one a renderer; it may be lost. [default: {CLONES}/<pool>]",
)
@click.option(
    "--git-host", "git_hosts", multiple=True, metavar="HOST",
    help="The only hosts that repositories may be on, wherever they are; .example.com allows all below; may be repeated. "
    "[default: public hosts, and those of the pool's repositories]",
)  # fmt: skip
@click.option(
    "--local-repositories",
    is_flag=True,
    help="Read repositories on this machine (file://), and anywhere in private networks, too.",
)
@click.option(
    "--poll-interval", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
    help="Between looks at a Git repository. [default: 60]",
)  # fmt: skip
@click.option(
    "--name",
    help="What tells renderers of one pool apart, the same after a restart. [default: the host's name]",
)
def renderer(
    credentials: Path,
    pool: str | None,
    state: Path | None,
    git_hosts: tuple[str, ...],
    local_repositories: bool,
    poll_interval: float | None,
    name: str | None,
) -> None:
    """Run a renderer of one pool in the foreground, until it is interrupted.

    It dials out to the hub and needs no port. It fetches the repositories that were added with `outrider repo add URL --pool NAME`, and
    sends what they render to, compressed, once. Several may run with the same credentials: one works, the others stand by.
    """
    named = _pool_of(credentials)
    if pool is not None and pool != named:
        raise Failed(f"{credentials} holds the identity of pool {named!r}, not of {pool!r}")
    folder = (state or CLONES / named).expanduser()
    _check_folder(folder)
    settings = {
        "OUTRIDER_CREDENTIALS": str(credentials),
        "OUTRIDER_STATE": str(folder),
        "OUTRIDER_GIT_HOSTS": ",".join(git_hosts) or None,
        "OUTRIDER_LOCAL_REPOSITORIES": "1" if local_repositories else None,
        "OUTRIDER_POLL_INTERVAL": f"{poll_interval:g}" if poll_interval else None,
        "OUTRIDER_REPLICA": name,
    }
    environment = {**os.environ, **{key: value for key, value in settings.items() if value is not None}}
    sys.stdout.flush()
    sys.stderr.flush()
    # The renderer takes this process's place: signals and the exit status are its own.
    os.execve(sys.executable, [sys.executable, "-m", "repo_renderer"], environment)  # noqa: S606 - no shell wanted


def _pool_of(file: Path) -> str:
    from outrider.identity import credentials
    from outrider.identity.accounts import HUB_ROLES

    try:
        user = credentials.load(file).user
    except credentials.InvalidCredentials as error:
        raise Failed(str(error)) from error
    if not user.is_pool:
        whose = f"the hub ({user.name!r})" if user.name in HUB_ROLES else f"cluster {user.name!r}"
        raise Failed(
            f"{file} holds the identity of {whose}, not a pool's: make one with `outrider pool add NAME > NAME.creds`"
        )
    return user.name


def _check_folder(folder: Path) -> None:
    if (folder / "trust.json").exists():
        raise Failed(f"{folder} is the folder of a hub: choose another --state for the renderer")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failed(
            f"can't make the renderer's folder {folder}: {error.strerror}; choose another --state"
        ) from error
