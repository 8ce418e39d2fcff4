"""Options that several commands of `outrider app` have."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from outrider_cli.completion import applications

if TYPE_CHECKING:
    from collections.abc import Callable

    AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])

TIMEOUT_S = 300.0
USER_MAX_CHARS = 128


def timeout_option(function: AnyFunction) -> AnyFunction:
    """Add `--timeout` to a command that waits; it arrives as `timeout_s`."""
    return click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(min=0, min_open=True),
        default=TIMEOUT_S,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait.",
    )(function)


def name_argument(function: AnyFunction) -> AnyFunction:
    """Add the application that a command is about; it arrives as `name`."""
    return click.argument("name", shell_complete=applications)(function)


def user_option(function: AnyFunction) -> AnyFunction:
    """Add `--as` to a command that is written down with who asked for it; it arrives as `user`."""
    return click.option(
        "--as",
        "user",
        metavar="NAME",
        callback=_user,
        help="Who asks, for the history of the application. [default: your name on this machine]",
    )(function)


def _user(_context: click.Context, _parameter: click.Parameter, given: str | None) -> str:
    name = _of_this_machine() if given is None else given
    if not name.strip() or len(name) > USER_MAX_CHARS or not name.isprintable():
        raise click.BadParameter(f"{name[:USER_MAX_CHARS]!r} is no name of a person")
    return name


def _of_this_machine() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A process in a container whose user has no entry.
        return "unknown"


def selectors(
    _context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[dict[str, str], ...]:
    """Return objects from `group:Kind:namespace/name`; a usage error shows the form."""
    return tuple(_selector(one) for one in given)


def selector(
    _context: click.Context, _parameter: click.Parameter, given: str | None
) -> dict[str, str] | None:
    """Return one object, as `selectors` does; None if none was given."""
    return None if given is None else _selector(given)


RESOURCE_FORM = "GROUP:KIND:[NAMESPACE/]NAME"


def _selector(text: str) -> dict[str, str]:
    group, _, rest = text.partition(":")
    kind, _, place = rest.partition(":")
    namespace, slash, name = place.partition("/")
    if not slash:
        namespace, name = "", place
    if not kind or not name or ":" in _before_name(place) or "/" in name:
        raise click.BadParameter(
            f"{text!r} names no object: write GROUP:KIND:NAMESPACE/NAME, as apps:Deployment:shop/web, with an empty group "
            "for core kinds and without NAMESPACE/ for what has none"
        )
    return {"group": group, "kind": kind, "namespace": namespace, "name": name}


def _before_name(place: str) -> str:
    """Return the namespace; names of roles may hold colons (`system:node`)."""
    return place.partition("/")[0] if "/" in place else ""
