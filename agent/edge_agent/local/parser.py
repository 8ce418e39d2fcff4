"""The command line of the site: `outrider agent status`, and the others, as argparse knows them.

The agent's image holds what the agent needs and no more, so these commands are made of the standard library: the same in a Pod and on
a machine.
"""

from __future__ import annotations

import argparse
import getpass
import os
from typing import Any, NoReturn

_RESOURCE = "GROUP:KIND:[NAMESPACE/]NAME"
WAIT_S = 300.0


class Usage(Exception):
    """The command line is not understood: the sentence, and how it is used."""

    def __init__(self, message: str, usage: str) -> None:
        self.usage = usage
        super().__init__(message)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Usage(message, self.format_usage())


def parser(prog: str) -> argparse.ArgumentParser:
    """Return the parser; what it yields has `verb`, and `arguments` to be made by `arguments_of`."""
    found = _Parser(
        prog=prog, description="Ask the agent of this site. None of these needs the hub.", allow_abbrev=False
    )
    commands = found.add_subparsers(dest="verb", required=True, metavar="COMMAND", parser_class=_Parser)
    for add in (_status, _sync, _refresh, _rollback, _terminate, _hold, _release, _journal, _import):
        command = add(commands)
        command.add_argument("--state", metavar="DIR", help="the agent's folder [default: the only agent's]")
        command.add_argument(
            "--socket", metavar="PATH", help="the agent's socket, if it is not in its folder"
        )
        command.add_argument("-o", "--output", choices=["table", "json"], default="table")
    return found


def _add(commands: Any, name: str, summary: str) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=summary, allow_abbrev=False
    )
    return added


def _status(commands: Any) -> argparse.ArgumentParser:
    return _add(commands, "status", "Show the link, holds, and each application with what it waits for.")


def _sync(commands: Any) -> argparse.ArgumentParser:
    command = _add(commands, "sync", "Sync application APP now to what is desired.")
    command.add_argument("app", metavar="APP")
    command.add_argument(
        "--revision", metavar="REVISION", help="another revision, this once, of what is rendered on the site"
    )
    _how(command)
    command.add_argument(
        "--resource", action="append", type=_resource, metavar=_RESOURCE, dest="resources",
        help="only this object, as apps:Deployment:shop/web; may be repeated",
    )  # fmt: skip
    command.add_argument("--force", action="store_true", help="delete and create anew what can't be changed")
    command.add_argument("--replace", action="store_true", help="replace objects instead of applying them")
    command.add_argument("--apply-only", action="store_true", help="run no hooks")
    command.add_argument(
        "--option", action="append", type=_option, metavar="NAME=VALUE", dest="options",
        help="a sync option of Argo CD, in place of the application's; may be repeated",
    )  # fmt: skip
    return command


def _refresh(commands: Any) -> argparse.ArgumentParser:
    command = _add(
        commands,
        "refresh",
        "Look at application APP again, at its repositories too where it is rendered on the site.",
    )
    command.add_argument("app", metavar="APP")
    command.add_argument("--hard", action="store_true", help="forget what was found out about its objects")
    _user(command)
    return command


def _rollback(commands: Any) -> argparse.ArgumentParser:
    command = _add(
        commands, "rollback",
        "Go back to what application APP was at: to ID of its history (shown by status -o json). Without ID to the newest that is not "
        "what is desired now, or where nothing is synced by itself to the one before the newest. "
        "With --hold it is held there, so that automated sync does not take it forward again.",
    )  # fmt: skip
    command.add_argument("app", metavar="APP")
    command.add_argument("id", metavar="ID", nargs="?", type=_number)
    _how(command)
    command.add_argument("--hold", action="store_true", help="hold the application there")
    _end(command)
    command.add_argument("--reason", metavar="TEXT", help="why it is held")
    return command


def _terminate(commands: Any) -> argparse.ArgumentParser:
    command = _add(commands, "terminate", "Stop the sync of application APP. What it has applied stays.")
    command.add_argument("app", metavar="APP")
    _user(command)
    return command


def _hold(commands: Any) -> argparse.ArgumentParser:
    command = _add(
        commands, "hold",
        "Hold applications APP, or without any the whole cluster: nothing is synced, healed, pruned or removed until it ends.",
    )  # fmt: skip
    command.add_argument("applications", metavar="APP", nargs="*")
    command.add_argument("--reason", metavar="TEXT", required=True, help="why; the hub is shown it as well")
    _end(command)
    _user(command)
    return command


def _release(commands: Any) -> argparse.ArgumentParser:
    command = _add(commands, "release", "End holds: those of applications APP, or all that `hold` made.")
    command.add_argument("applications", metavar="APP", nargs="*")
    _user(command)
    return command


def _journal(commands: Any) -> argparse.ArgumentParser:
    command = _add(commands, "journal", "Print what happened here, the newest last.")
    command.add_argument("-n", "--count", type=_number, default=50, help="how many entries [default: 50]")
    return command


def _import(commands: Any) -> argparse.ArgumentParser:
    command = _add(
        commands,
        "import",
        "Take in FILE, made by `outrider bundle export` at the hub; - reads standard input.",
    )
    command.add_argument("file", metavar="FILE")
    return command


def _how(command: argparse.ArgumentParser) -> None:
    command.add_argument("--prune", action="store_true", help="delete what is no longer desired")
    command.add_argument("--dry-run", action="store_true", help="let the API server check it, change nothing")
    command.add_argument("--despite-hold", action="store_true", help="although the application is held")
    command.add_argument(
        "--wait", action=argparse.BooleanOptionalAction, default=None,
        help="until it is done; exit status 1 if it did not succeed [default: on a terminal]",
    )  # fmt: skip
    command.add_argument(
        "--timeout", type=_seconds, default=WAIT_S, metavar="SECONDS", help="how long to wait"
    )
    _user(command)


def _end(command: argparse.ArgumentParser) -> None:
    end = command.add_mutually_exclusive_group()
    end.add_argument(
        "--for", metavar="DURATION", dest="lasts", help="as 4h, 90m, 2d [default: 24h; at most 14d]"
    )
    end.add_argument(
        "--until", metavar="TIME", help="as 2026-12-01T06:00, in the site's time zone unless it names one"
    )


def _user(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--as", metavar="NAME", dest="user", help="who asks [default: your name on this machine]"
    )


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e7:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return value


def _option(text: str) -> str:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is no sync option: write it as NAME=VALUE")
    return text


def _resource(text: str) -> dict[str, str]:
    group, _, rest = text.partition(":")
    kind, _, place = rest.partition(":")
    namespace, slash, name = place.partition("/")
    if not slash:
        namespace, name = "", place
    if not kind or not name or "/" in name:
        raise argparse.ArgumentTypeError(
            f"{text!r} names no object: write {_RESOURCE}, as apps:Deployment:shop/web or :ConfigMap:shop/settings"
        )
    return {"group": group, "kind": kind, "namespace": namespace, "name": name}


def check(given: argparse.Namespace, of: argparse.ArgumentParser) -> None:
    """See that what is given goes together."""
    if given.verb == "rollback" and not given.hold and (given.lasts or given.until or given.reason):
        of.error("--for, --until and --reason are about a hold: give --hold as well")


def arguments_of(given: argparse.Namespace, *, wait: bool) -> dict[str, Any]:
    """Return the arguments of the verb that a command line asks for, set ones only."""
    held = {"reason": _get(given, "reason"), "until": _get(given, "until"), "for": _get(given, "lasts")}
    held = {name: value for name, value in held.items() if value is not None}
    forced = [("Force=true", "force"), ("Replace=true", "replace")]
    options = [option for option, flag in forced if _get(given, flag)] + (_get(given, "options") or [])
    asked: dict[str, Any] = {
        "app": _get(given, "app"),
        "id": _get(given, "id"),
        "revision": _get(given, "revision"),
        "hard": _get(given, "hard"),
        "prune": _get(given, "prune"),
        "dry_run": _get(given, "dry_run"),
        "urgent": _get(given, "despite_hold"),
        "resources": _get(given, "resources"),
        "options": options or None,
        "strategy": "apply" if _get(given, "apply_only") else None,
        "applications": _get(given, "applications"),
        "count": _get(given, "count"),
        "wait": wait or None,
        "hold": held if _get(given, "hold") else None,
        **(held if given.verb == "hold" else {}),
    }
    return {
        name: value
        for name, value in asked.items()
        if value is not None and value is not False and value != []
    }


def who(given: argparse.Namespace) -> str:
    """Return who asks."""
    return str(_get(given, "user") or os.environ.get("SUDO_USER") or _of_this_machine())


def _of_this_machine() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A process in a container whose user has no entry.
        return "unknown"


def _get(given: argparse.Namespace, name: str) -> Any:
    return getattr(given, name, None)
