"""Which agent a command on the site means: the one that it names, or the only one of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.local.place import IN_POD, ON_A_MACHINE, REPLICA, SOCKET, NoSocket

if TYPE_CHECKING:
    from collections.abc import Mapping


def find(
    state: str | None,
    named: str | None,
    environment: Mapping[str, str],
    in_pod: Path = IN_POD,
    on_a_machine: Path = ON_A_MACHINE,
) -> Path:
    """Return the socket: of --socket, --state, $OUTRIDER_SOCKET, $OUTRIDER_STATE, else in the folders where agents are. NoSocket."""
    if named:
        return Path(named).expanduser()
    if state:
        return Path(state).expanduser() / SOCKET
    if environment.get("OUTRIDER_SOCKET"):
        return Path(environment["OUTRIDER_SOCKET"]).expanduser()
    folder = environment.get("OUTRIDER_STATE")
    if folder and not _is_hubs(Path(folder).expanduser()):
        return Path(folder).expanduser() / SOCKET
    if _is_there(in_pod / REPLICA):
        return in_pod / SOCKET
    return _only(on_a_machine.expanduser(), in_pod)


def _only(folder: Path, in_pod: Path) -> Path:
    try:
        agents = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        agents = []
    sockets = [path / SOCKET for path in agents if _is_there(path / SOCKET)]
    if len(sockets) == 1:
        return sockets[0]
    if sockets:
        names = ", ".join(str(path.parent) for path in sockets)
        raise NoSocket(f"several agents run on this machine: choose one with --state: {names}")
    raise NoSocket(
        f"no agent runs on this machine: neither {in_pod} nor a folder in {folder} has its socket; "
        "name its folder with --state, or run this where the agent runs"
    )


def _is_hubs(folder: Path) -> bool:
    return _is_there(folder / "trust.json")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
