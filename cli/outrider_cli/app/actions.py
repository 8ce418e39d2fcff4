"""`outrider app actions`: what the hub's settings offer to do with an object, as restarting a Deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from outrider_cli.app.names import kind_text, place_text, selector_of, selector_text
from outrider_cli.app.options import RESOURCE_FORM, name_argument, selector, user_option
from outrider_cli.app.seen import document_of, known
from outrider_cli.asking import asking
from outrider_cli.output import Format, emit, objects_option, styled, table
from outrider_cli.state_folder import hub_option
from outrider_cli.together import not_refused

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from outrider_cli.hub import Hub


@click.group()
def actions() -> None:
    """List and run actions of an application's objects.

    Actions are Argo CD's: Lua scripts, those that come with the agent and those in the hub's settings (argocd-cm).
    """


@actions.command("list")
@name_argument
@click.argument("resource", metavar=f"[{RESOURCE_FORM}]", required=False, callback=selector)
@hub_option
@objects_option
def list_actions(name: str, resource: dict[str, str] | None, state: Path | None, output: Format) -> None:
    """List what can be done with the objects of application NAME, or with one of them."""

    async def everything(hub: Hub) -> list[dict[str, Any]]:
        found = await not_refused(lambda one: _of(hub, name, one), await _objects(hub, name, resource))
        return [action for actions in found for action in actions]

    items = asking(state, everything)
    emit(
        items,
        output,
        lambda: _as_table(items),
        names=(f"{selector_text(one)} {one.get('name')}" for one in items),
    )


async def _objects(hub: Hub, name: str, resource: dict[str, str] | None) -> list[dict[str, str]]:
    if resource is not None:
        return [resource]
    return [selector_of(one) for one in document_of(await known(hub, name)).get("resources") or ()]


async def _of(hub: Hub, name: str, resource: dict[str, str]) -> list[dict[str, Any]]:
    found = await hub.registry_list("app.actions", name=name, resource=resource)
    return [{"resource": resource, **one} for one in found]


def _as_table(items: list[dict[str, Any]]) -> RenderableType:
    if not items:
        return styled("No actions.", "")
    rows = [
        [
            kind_text(one["resource"]),
            place_text(one["resource"]),
            str(one.get("name")),
            "disabled" if one.get("disabled") else "",
        ]
        for one in items
    ]
    return table(["KIND", "NAME", "ACTION", ""], rows)


def parameters(
    _context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, str]:
    """Return the parameters in `name=value` options; a usage error names the one that is none."""
    pairs = [one.partition("=") for one in given]
    for name, equals, value in pairs:
        if not name or not equals:
            raise click.BadParameter(f"{name}{equals}{value} is no parameter: write it as name=value")
    return {name: value for name, _, value in pairs}


@actions.command()
@name_argument
@click.argument("resource", metavar=RESOURCE_FORM, callback=selector)
@click.argument("action")
@click.option(
    "--param", "given", multiple=True, callback=parameters, metavar="NAME=VALUE",
    help="A parameter of the action; may be repeated.",
)  # fmt: skip
@user_option
@hub_option
@objects_option
def run(
    name: str,
    resource: dict[str, str],
    action: str,
    given: dict[str, str],
    user: str,
    state: Path | None,
    output: Format,
) -> None:
    """Run ACTION on an object of application NAME, as `actions run web apps:Deployment:shop/web restart`."""

    async def asked(hub: Hub) -> dict[str, Any]:
        return await hub.registry(
            "app.action",
            name=name,
            resource=resource,
            action=action,
            parameters=given or None,
            initiated_by=user,
        )

    answer = {"name": name, "resource": resource, "action": action, **asking(state, asked)}
    emit(
        answer,
        output,
        lambda: styled(f"application/{name} {selector_text(resource)} {action}: {_result(answer)}", ""),
        names=[f"application/{name}"],
    )


def _result(answer: dict[str, Any]) -> str:
    result = answer.get("result")
    done = [str(one) for one in result] if isinstance(result, list) else [str(result or "")]
    return ", ".join(one for one in done if one) or "done"
