"""Start the agent: `python -m edge_agent`."""

import sys

import edge_agent.lean  # noqa: F401  first, before what it keeps out

# isort: split
from edge_agent.agent import run
from edge_agent.cluster import NoAccess
from edge_agent.local.place import FolderInUse
from edge_agent.settings import InvalidSetting, Settings
from outrider import process
from outrider.identity.credentials import InvalidCredentials


def main() -> int:
    """Run until asked to stop. Return 2 when a setting is wrong, or another agent has the folder."""
    process.configure_logging()
    try:
        settings = Settings.from_environment()
        return process.run(run(settings))
    except* (InvalidSetting, InvalidCredentials, NoAccess, FolderInUse) as errors:
        for error in errors.exceptions:
            sys.stderr.write(f"outrider agent: {error}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
