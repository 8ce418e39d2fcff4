"""Start the process that renders for an agent: `python -m edge_agent.rendering.child SETTINGS`, as the agent does.

Requests come on standard input, answers go to standard output (`edge_agent.rendering.frames`), the log to standard error. It ends
with its input, and with the agent.
"""

import asyncio
import json
import os
import sys

# Drawn in by structlog, to draw tracebacks on a terminal: 5 MiB.
sys.modules.setdefault("rich", None)  # type: ignore[arg-type]

# isort: split
from edge_agent.rendering.child.serve import serve
from edge_agent.rendering.child.settings import Settings
from outrider import process
from outrider.rendering.worker.sandbox import end_with_parent


def main() -> int:
    """Run until the agent closes the pipe."""
    end_with_parent()
    requests, answers = _take_over_pipes()
    process.configure_logging()
    settings = Settings(**json.loads(sys.argv[1]))
    os.umask(0o077)
    asyncio.run(serve(settings, requests, answers))
    return 0


def _take_over_pipes() -> tuple[int, int]:
    """Keep the pipes where no library writes to them: what is printed goes nowhere."""
    requests, answers = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    return requests, answers


if __name__ == "__main__":
    sys.exit(main())
