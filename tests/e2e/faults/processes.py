"""Processes of a fleet's hub, found as a person finds them: in /proc, by what their command line says."""

from pathlib import Path


def pids_of(name: str, folder: Path) -> list[int]:
    """Return the processes whose command line holds `name` and that work in `folder`."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            line = (process / "cmdline").read_bytes().decode(errors="replace")
            environment = (process / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if name in line and str(folder) in line + environment:
            found.append(int(process.name))
    return found
