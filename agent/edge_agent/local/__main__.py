"""Commands on the site where nothing but the agent is installed: `python -m edge_agent.local status`."""

import sys

from edge_agent.local.command import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], "python -m edge_agent.local"))
