"""`outrider app apply`: read, order and check objects, then write them; and say what became of each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from outrider_cli.app.options import user_option
from outrider_cli.asking import asking
from outrider_cli.failure import Failed, Reported, note
from outrider_cli.output import Format, emit, is_for_people, objects_option, styled
from outrider_cli.progress import counting
from outrider_cli.state_folder import hub_option

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from outrider_cli.applying import Outcome
    from outrider_cli.documents import Found
    from outrider_cli.hub import Hub
    from outrider_cli.kinds import Chosen


@click.command()
@click.option(
    "-f", "--file", "files", multiple=True, required=True, metavar="FILE|DIR|-",
    help="Objects as YAML or JSON; a folder is read whole, `-` is standard input; may be repeated.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Have the hub check them, and change nothing.")
@click.option(
    "--ignore-others", is_flag=True, help="Leave out objects of kinds that the hub does not take, and say so."
)
@user_option
@hub_option
@objects_option
def apply(
    files: tuple[str, ...], dry_run: bool, ignore_others: bool, user: str, state: Path | None, output: Format
) -> None:
    """Create or update applications, application sets, projects and settings.

    Takes Argo CD's Application, ApplicationSet, AppProject and ConfigMap argocd-cm, in any order; projects and settings are
    written first. All are checked before anything is written: if one is refused, all problems of all are shown, nothing is
    written, and the exit status is 1. Applying the same again changes nothing.
    """
    from outrider_cli.documents import read_all
    from outrider_cli.kinds import choose

    carry_out(choose(read_all(files), ignore_others=ignore_others), state, output, dry_run=dry_run, user=user)


def carry_out(chosen: Chosen, state: Path | None, output: Format, *, dry_run: bool, user: str = "") -> None:
    """Check and write what was chosen, and print what became of it; Reported if something is refused."""
    from outrider_cli.applying import Applying, apply_all, outline, projects_in

    for other in chosen.others:
        manifest = other.manifest or {}
        note(f"{other.place}: left out: {manifest['kind']} of {manifest['apiVersion']}")
    unread = [outline(one, dry_run=True) for one in chosen.refused]
    told = 0

    def tell_one(outcome: Outcome) -> None:
        nonlocal told
        told += 1
        tell(outcome, output)

    async def applied(hub: Hub) -> list[Outcome]:
        checked = await _checked(hub, chosen.taken)
        if unread or any("error" in one for one in checked) or dry_run:
            return [*unread, *checked]
        return await apply_all(
            Applying(
                hub, dry_run=False, user=user, projects=projects_in(one.manifest for one in chosen.taken)
            ),
            chosen.taken,
            tell_one,
        )

    try:
        outcomes = asking(state, applied)
    except Failed:
        # What was found out without the hub is told all the same.
        for outcome in unread:
            tell(outcome, output)
        raise
    if not told:
        _tell_check(_in_file_order(outcomes, chosen.files), output)
    if not is_for_people(output):
        emit(outcomes, output, lambda: "", names=_names(outcomes, dry_run=dry_run))
    if any("error" in one for one in outcomes):
        raise Reported


async def _checked(hub: Hub, objects: Sequence[Found]) -> list[Outcome]:
    from outrider_cli.applying import Applying, apply_all, projects_in

    with counting("checked", len(objects)) as count:
        applying = Applying(hub, dry_run=True, projects=projects_in(one.manifest for one in objects))
        return await apply_all(applying, objects, lambda _outcome: count())


def _in_file_order(outcomes: list[Outcome], files: list[str]) -> list[Outcome]:
    read = {file: number for number, file in enumerate(files)}
    return sorted(outcomes, key=lambda one: (read[one["file"]], one["document"], one.get("item", 0)))


def _tell_check(outcomes: list[Outcome], output: Format) -> None:
    """Tell what a check found: only what is wrong, if something is."""
    refused = [one for one in outcomes if "error" in one]
    for outcome in refused or outcomes:
        tell(outcome, output)
    if refused and len(outcomes) > 1 and output not in ("json", "yaml"):
        note(f"nothing was written: {len(refused)} of {len(outcomes)} objects are refused")


def tell(outcome: Outcome, output: Format) -> None:
    """Print what became of an object: where it is refused on standard error, as programs get it elsewhere."""
    if output in ("json", "yaml"):
        return
    where = place_of(outcome)
    for warning in outcome.get("warnings", ()):
        note(f"{where}: warning: {warning}")
    if "error" in outcome:
        named = outcome["name"] and outcome["name"] not in outcome["error"]
        note(f"{where}: {outcome['object'] + ': ' if named else ''}{outcome['error']}")
        return
    if output == "name":
        return
    dry = " (dry run)" if outcome["dryRun"] else ""
    # The name is the hub's answer, and so checked by it; still nothing of a hub is printed raw.
    line = styled(f"{outcome['object']} {outcome['result']}{dry}", "").plain
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _names(outcomes: list[Outcome], *, dry_run: bool) -> list[str]:
    return [one["object"] for one in outcomes if "error" not in one and one["dryRun"] == dry_run]


def place_of(outcome: dict[str, Any]) -> str:
    """Return where an object stands, as `shops.yaml:12 (document 2)`."""
    from outrider_cli.documents import Place

    return str(Place(outcome["file"], outcome["document"], outcome["line"], outcome.get("item", 0)))
