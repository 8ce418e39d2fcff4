"""A hub's folder on this machine, as the command line sees it: where it is, who uses it, and where its hub listens.

hub.json    written by `outrider up` while it runs: the real address, for the other commands
hub.lock    held by `outrider up` for as long as it runs, so that no two hubs share a folder
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from outrider_cli.failure import Failed

DEFAULT = Path("~/.local/share/outrider")
PERSON = Path("credentials") / "person.creds"

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


def hub_option(function: AnyFunction) -> AnyFunction:
    """Add `--state`, by which a command finds its hub; it arrives as `state`, None if it was not given."""
    return click.option(
        "--state",
        type=click.Path(path_type=Path),
        help="The folder of a hub on this machine. [default: $OUTRIDER_STATE, else ~/.local/share/outrider; "
        "or name a credentials file with $OUTRIDER_CREDENTIALS]",
    )(function)


def default() -> Path:
    """Return the folder that is used when none is named."""
    return Path(os.environ.get("OUTRIDER_STATE") or DEFAULT).expanduser()


def option_for(state: Path) -> str:
    """Return what has to be typed after a command so that it finds this folder."""
    return "" if state == default() else f" --state {state}"


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """Make the folder and hold it; Failed if it can't be written, or another hub holds it."""
    lock = state / "hub.lock"
    with writing(state):
        state.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failed(_in_use(state, file.read().strip())) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _in_use(state: Path, pid: str) -> str:
    by = f" (process {pid})" if pid.isdecimal() else ""
    return f"{state} is in use by a hub that is running{by}: stop that one, or choose another folder with --state"


@contextmanager
def writing(state: Path) -> Iterator[None]:
    """Turn an error of the file system into a sentence about the folder."""
    try:
        yield
    except OSError as error:
        place = error.filename or state
        raise Failed(
            f"can't write the hub's folder {state} ({place}: {error.strerror}): make it writable, "
            "or choose another one with --state"
        ) from error


def write_address(state: Path, address: dict[str, Any]) -> None:
    """Say where the hub of this folder listens, whole or not at all."""
    temporary = state / f".hub.json.{os.getpid()}"
    temporary.write_text(json.dumps(address, indent=1) + "\n")
    temporary.replace(state / "hub.json")


def remove_address(state: Path) -> None:
    """Say that the hub of this folder no longer listens."""
    with contextlib.suppress(OSError):
        (state / "hub.json").unlink()


def read_servers(state: Path) -> tuple[str, ...]:
    """Return the servers that a running hub wrote down; none if there is no such hub."""
    try:
        written = json.loads((state / "hub.json").read_text())
        return tuple(str(server) for server in written["servers"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()
