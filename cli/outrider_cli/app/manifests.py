"""`outrider app manifests`: an application's objects in full, as desired or as they are. Secrets' values are masked at the edge."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from outrider_cli.app.names import selector_of, selector_text
from outrider_cli.app.options import RESOURCE_FORM, name_argument, selectors
from outrider_cli.app.seen import document_of, known
from outrider_cli.asking import asking
from outrider_cli.failure import note
from outrider_cli.output import Format, emit, encoded, objects_option, ordered, plain
from outrider_cli.state_folder import hub_option
from outrider_cli.together import not_refused

if TYPE_CHECKING:
    from pathlib import Path

    from outrider_cli.hub import Hub


@click.command()
@name_argument
@click.option("--live", is_flag=True, help="As they are on the cluster, instead of as they should be.")
@click.option(
    "--resource", "chosen", multiple=True, callback=selectors, metavar=RESOURCE_FORM,
    help="Only this object, as apps:Deployment:shop/web; may be repeated.",
)  # fmt: skip
@hub_option
@objects_option
def manifests(
    name: str, live: bool, chosen: tuple[dict[str, str], ...], state: Path | None, output: Format
) -> None:
    """Print the objects of application NAME as YAML, tracking included. Its cluster is asked, and must be online.

    Values of Secrets are masked.
    """
    side = "live" if live else "desired"

    async def all_of(hub: Hub) -> list[dict[str, Any]]:
        named = list(chosen) or [
            selector_of(one) for one in document_of(await known(hub, name)).get("resources") or ()
        ]

        async def one(resource: dict[str, str]) -> dict[str, Any]:
            answer = await hub.registry("app.manifest", name=name, resource=resource)
            if not answer.get(side):
                where = "is not on the cluster" if live else "is not desired"
                note(f"note: {selector_text(resource)} {answer.get('message') or where}")
            found: dict[str, Any] = ordered(answer.get(side) or {})
            return found

        return [found for found in await not_refused(one, named) if found]

    found = asking(state, all_of)
    if output in ("table", "wide", "yaml"):
        _print(found)
        return
    names = (_name(one) for one in found)
    emit({"apiVersion": "v1", "kind": "List", "items": found}, output, lambda: "", names=names)


def _print(found: list[dict[str, Any]]) -> None:
    from outrider_cli import yaml_text

    text = encoded(found[0], "yaml") if len(found) == 1 else yaml_text.dump_all(plain(one) for one in found)
    sys.stdout.write(text if found else "")
    sys.stdout.flush()


def _name(manifest: dict[str, Any]) -> str:
    metadata = manifest.get("metadata") or {}
    group = str(manifest.get("apiVersion") or "").rpartition("/")[0]
    return selector_text({**metadata, "group": group, "kind": manifest.get("kind")})
