"""The commands of `outrider app`."""

import click

from outrider_cli.lazy import Lazy, LazyGroup

COMMANDS = {
    "apply": Lazy(
        "outrider_cli.app.apply", "apply", "Create or update applications, sets, projects, settings."
    ),
    "list": Lazy(
        "outrider_cli.app.listing", "list_applications", "List applications and what is known of them."
    ),
    "get": Lazy("outrider_cli.app.listing", "get", "Show one application."),
    "resources": Lazy("outrider_cli.app.resources", "resources", "List its objects."),
    "tree": Lazy("outrider_cli.app.tree", "tree", "Draw its objects and what belongs to them."),
    "diff": Lazy("outrider_cli.app.diff", "diff", "Show how the cluster differs from what is desired."),
    "manifests": Lazy("outrider_cli.app.manifests", "manifests", "Print its objects, desired or live."),
    "history": Lazy("outrider_cli.app.history", "history", "List what was deployed, when and by whom."),
    "sync": Lazy("outrider_cli.app.sync", "sync", "Sync one now."),
    "wait": Lazy("outrider_cli.app.wait", "wait_for", "Wait until one is synced and healthy."),
    "terminate": Lazy("outrider_cli.app.operations", "terminate", "Stop the sync that runs."),
    "refresh": Lazy("outrider_cli.app.operations", "refresh", "Look at one again now."),
    "rollback": Lazy("outrider_cli.app.operations", "rollback", "Go back to what was deployed before."),
    "approve": Lazy("outrider_cli.app.operations", "approve", "Confirm deletions that wait for it."),
    "actions": Lazy("outrider_cli.app.actions", "actions", "List and run actions of objects."),
    "delete": Lazy("outrider_cli.app.delete", "delete", "Delete one."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def app() -> None:
    """Apply, look at, sync and delete applications.

    An application is Argo CD's Application (argoproj.io/v1alpha1): a source in Git, and the cluster that should run it.
    """
