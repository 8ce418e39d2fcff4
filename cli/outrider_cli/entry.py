"""The `outrider` program, also where the command line is not installed: the agent's image holds what the agent needs and no more.

There, `outrider agent status` and the other commands of the site work all the same, since they are the agent's own.
"""

import importlib.util
import sys


def main() -> None:
    """Run the command line, or what there is of it."""
    if importlib.util.find_spec("click") is None:
        sys.exit(_on_site_alone(sys.argv[1:]))
    from outrider_cli.__main__ import main as whole

    whole()


def _on_site_alone(arguments: list[str]) -> int:
    if len(arguments) > 1 and arguments[0] == "agent" and not arguments[1].startswith("-"):
        from edge_agent.local.command import run

        return run(arguments[1:])
    sys.stderr.write(
        "Error: only the agent is installed here: `outrider agent status --help` shows what it can be asked; "
        "the other commands are run where `pip install 'outrider[cli]'` was\n"
    )
    return 2
