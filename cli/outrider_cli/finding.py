"""Which hub a command means: the folder of one on this machine, or a credentials file and where to reach it."""

import os
from dataclasses import dataclass
from pathlib import Path

from outrider_cli import state_folder
from outrider_cli.failure import Failed


@dataclass(frozen=True)
class Place:
    """A credentials file, the servers that replace those it names, and what a person can do if nobody answers there."""

    credentials: Path
    servers: tuple[str, ...]
    advice: str


def find(state: Path | None) -> Place:
    """Return where the hub is: `--state`, else $OUTRIDER_CREDENTIALS, else $OUTRIDER_STATE or the default folder."""
    servers = tuple(one.strip() for one in os.environ.get("OUTRIDER_SERVERS", "").split(",") if one.strip())
    named = os.environ.get("OUTRIDER_CREDENTIALS")
    if state is None and named:
        return Place(
            Path(named).expanduser(), servers, "is the hub running? $OUTRIDER_SERVERS says where it is"
        )
    return _in_folder((state or state_folder.default()).expanduser(), servers)


def _in_folder(state: Path, servers: tuple[str, ...]) -> Place:
    credentials = state / state_folder.PERSON
    start = f"start it with `outrider up{state_folder.option_for(state)}`"
    try:
        present = credentials.exists()
    except OSError as error:
        raise Failed(f"can't read {credentials}: {error.strerror}") from error
    if not present:
        raise Failed(
            f"there is no hub in {state}: {start}, or name the credentials file of another hub with $OUTRIDER_CREDENTIALS"
        )
    return Place(credentials, servers or state_folder.read_servers(state), start)
