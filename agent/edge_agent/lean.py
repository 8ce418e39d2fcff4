"""Imported before anything else of the agent: keeps out what its libraries would import for nothing.

structlog imports rich and pygments (5 MiB) wherever they are installed, to draw tracebacks on a terminal.
"""

import sys

_NEVER_USED = ("rich",)

for _name in _NEVER_USED:
    # A module of None is an ImportError to whoever asks for it, which these importers expect.
    sys.modules.setdefault(_name, None)  # type: ignore[arg-type]
