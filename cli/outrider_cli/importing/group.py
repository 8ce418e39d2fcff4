"""The commands of `outrider import`."""

import click

from outrider_cli.lazy import Lazy, LazyGroup

COMMANDS = {
    "argocd": Lazy("outrider_cli.importing.argocd", "argocd", "Take over applications from Argo CD."),
}


@click.group("import", cls=LazyGroup, lazy=COMMANDS)
def import_() -> None:
    """Take over what another system manages."""
