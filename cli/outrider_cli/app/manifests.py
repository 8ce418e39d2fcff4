"""`outrider app manifests`: an application's objects in full, as desired or as they are. Secrets' values are masked.

What is desired comes from the bundle at the hub, and no cluster is asked, unless its edge renders the application itself. What is on
the cluster comes from there, object by object; of a cluster that is away, what was seen last.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from outrider_cli.app import last_known
from outrider_cli.app.names import selector_of, selector_text
from outrider_cli.app.options import RESOURCE_FORM, name_argument, selectors
from outrider_cli.app.seen import document_of, known
from outrider_cli.asking import asking
from outrider_cli.failure import note
from outrider_cli.output import Format, emit, encoded, objects_option, ordered
from outrider_cli.state_folder import hub_option
from outrider_cli.terminal import visible_line
from outrider_cli.together import not_refused

if TYPE_CHECKING:
    from pathlib import Path

    from outrider_cli.hub import Hub

PAGE = 200


@dataclass(frozen=True)
class Found:
    """An object, and where that is from."""

    manifest: dict[str, Any]
    mark: dict[str, Any] = field(default_factory=dict)


@click.command()
@name_argument
@click.option("--live", is_flag=True, help="As they are on the cluster, instead of as they should be.")
@click.option(
    "--fresh", is_flag=True,
    help="Only as they are now: fail where the cluster does not answer, instead of what was seen last.",
)  # fmt: skip
@click.option(
    "--resource", "chosen", multiple=True, callback=selectors, metavar=RESOURCE_FORM,
    help="Only this object, as apps:Deployment:shop/web; may be repeated.",
)  # fmt: skip
@hub_option
@objects_option
def manifests(
    name: str, live: bool, fresh: bool, chosen: tuple[dict[str, str], ...], state: Path | None, output: Format
) -> None:
    """Print the objects of application NAME as YAML, tracking included.

    What is desired the hub knows. What is on the cluster (--live) is asked there; where it does not answer, what was seen last is
    printed, and said to be so. Values of Secrets are masked.
    """

    async def all_of(hub: Hub) -> list[Found]:
        whole = None if live or chosen else await _desired(hub, name)
        if whole is not None:
            return whole
        return await _each(hub, name, "live" if live else "desired", list(chosen), is_live_only=fresh)

    found, now = asking(state, all_of), datetime.now().astimezone()
    oldest = _oldest(found)
    last_known.note_age(oldest, now)
    if output in ("table", "wide", "yaml"):
        _print(found, now)
        return
    items = [one.manifest for one in found]
    listed = {"apiVersion": "v1", "kind": "List", "items": items, "outrider": oldest}
    emit(listed, output, lambda: "", names=map(_name, items))


async def _desired(hub: Hub, name: str) -> list[Found] | None:
    """Return what is desired, from the hub; None if its edge renders the application."""
    found: list[Found] = []
    after: int | None = 0
    while after is not None:
        page = await hub.registry("app.manifests", name=name, after=after, limit=PAGE)
        if page.get("rendered_at") == "edge":
            return None
        for one in page.get("left_out") or ():
            note(f"note: {one} is larger than an answer may be")
        found += [Found(ordered(item), _mark(page)) for item in page["items"]]
        after = page.get("next")
    return found


async def _each(
    hub: Hub, name: str, side: str, chosen: list[dict[str, str]], *, is_live_only: bool
) -> list[Found]:
    """Return objects one by one; all that the last status tells of, if none are chosen."""
    named = chosen or [selector_of(one) for one in document_of(await known(hub, name)).get("resources") or ()]

    async def one(resource: dict[str, str]) -> Found:
        answer = await hub.registry(
            "app.manifest", name=name, resource=resource, side=side, live=is_live_only or None
        )
        if not answer.get(side):
            where = "is not desired" if side == "desired" else "is not on the cluster"
            note(f"note: {selector_text(resource)} {answer.get('message') or where}")
        return Found(ordered(answer.get(side) or {}), _mark(answer))

    return [found for found in await not_refused(one, named) if found.manifest]


def _mark(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in last_known.MARK if name in answer}


def _oldest(found: list[Found]) -> dict[str, Any]:
    """Return the mark of the oldest; what has no age is older than all."""

    def age(mark: dict[str, Any]) -> float:
        if not last_known.is_last_known(mark):
            return -1
        return float("inf") if mark.get("age_s") is None else float(mark["age_s"])

    return max((one.mark for one in found), key=age, default={})


def _print(found: list[Found], now: datetime) -> None:
    documents = []
    for one in found:
        text = encoded(one.manifest, "yaml")
        if last_known.is_last_known(one.mark):
            text = f"# {visible_line(last_known.when(one.mark, now))}\n{text}"
        documents.append(text)
    sys.stdout.write(documents[0] if len(documents) == 1 else "".join(f"---\n{text}" for text in documents))
    sys.stdout.flush()


def _name(manifest: dict[str, Any]) -> str:
    metadata = manifest.get("metadata") or {}
    group = str(manifest.get("apiVersion") or "").rpartition("/")[0]
    return selector_text({**metadata, "group": group, "kind": manifest.get("kind")})
