"""Entry point of the `outrider` command: its commands, and what becomes of an error.

Exit status: 0 done, 1 refused or failed with one sentence, 2 not understood, 130 interrupted. A traceback is printed with
OUTRIDER_DEBUG=1 only.
"""

import os
import sys
import traceback
from collections.abc import Sequence

import click

from outrider_cli.failure import Failed
from outrider_cli.lazy import Lazy, LazyGroup

INTERRUPTED = 130
COMMANDS = {
    "init": Lazy("outrider_cli.up", "init", "Make the keys and certificates of a hub."),
    "up": Lazy("outrider_cli.up", "up", "Run a whole hub on this machine, in the foreground."),
    "agent": Lazy(
        "outrider_cli.agent", "agent", "Run the agent of one cluster, or ask the one that runs here."
    ),
    "renderer": Lazy("outrider_cli.renderer", "renderer", "Run a renderer of one pool, in the foreground."),
    "cluster": Lazy("outrider_cli.clusters", "cluster", "Add, list, change and remove edge clusters."),
    "pool": Lazy("outrider_cli.pools", "pool", "Add, list and remove pools of renderers."),
    "repo": Lazy("outrider_cli.repositories", "repo", "Give the hub access to Git repositories."),
    "app": Lazy("outrider_cli.app.group", "app", "Apply, look at, sync and delete applications."),
    "bundle": Lazy(
        "outrider_cli.bundles", "bundle", "Carry what a cluster should run to where no link reaches."
    ),
    "set": Lazy("outrider_cli.sets", "application_sets", "Look at and delete application sets."),
    "project": Lazy(
        "outrider_cli.projects", "project", "Look at and delete projects, see their sync windows."
    ),
    "settings": Lazy("outrider_cli.settings", "settings", "Look at and change what holds for the whole hub."),
    "import": Lazy("outrider_cli.importing.group", "import_", "Take over what another system manages."),
    "journal": Lazy(
        "outrider_cli.journal", "journal", "Tell what happened on a cluster, also while it was away."
    ),
    "status": Lazy("outrider_cli.status", "status", "Show the whole fleet: clusters and applications."),
    "completion": Lazy(
        "outrider_cli.completion", "completion", "Print what a shell needs to complete commands."
    ),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="outrider", prog_name="outrider")
def cli() -> None:
    """Deliver applications from Git to a fleet of edge Kubernetes clusters.

    Begin with `outrider up`, which runs a hub on this machine and prints the next command to type.

    The commands find the hub by --state or $OUTRIDER_STATE (the folder of a hub on this machine), or by $OUTRIDER_CREDENTIALS
    (a file <state>/credentials/person.creds copied from it) and, if its address has changed, $OUTRIDER_SERVERS.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; return its exit status."""
    try:
        status = cli.main(
            None if arguments is None else list(arguments), prog_name="outrider", standalone_mode=False
        )
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the boundary: a traceback is no answer to a person
        if os.environ.get("OUTRIDER_DEBUG") == "1":
            traceback.print_exc()
        return _explain(_first(error))
    return status if isinstance(status, int) else 0


def _first(error: Exception) -> Exception:
    """Return what to tell when several tasks failed at once: one of our own sentences, if there is one."""
    if not isinstance(error, ExceptionGroup):
        return error
    leaves = [_first(one) for one in error.exceptions]
    return next((one for one in leaves if isinstance(one, click.ClickException)), leaves[0])


def _explain(error: Exception) -> int:
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        # Whoever read the output has gone: `outrider app list | head`.
        sys.stdout = None
        return 1
    if isinstance(error, OSError) and error.filename is not None:
        sentence = f"can't use {error.filename}: {error.strerror}"
    else:
        sentence = (
            f"outrider met an error of its own ({type(error).__name__}: {error}); "
            "run the command again with OUTRIDER_DEBUG=1 to see where"
        )
    Failed(sentence).show()
    return 1


def main() -> None:
    """Run the command line."""
    sys.exit(run())


if __name__ == "__main__":
    main()
