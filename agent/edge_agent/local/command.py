"""Run one command line of the site. Exit status: 0 done, 1 refused or failed with one sentence, 2 not understood, 130 interrupted."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from edge_agent.hold.model import one_line
from edge_agent.local import parser, shown
from edge_agent.local.client import ANSWER_WITHIN_S, NoAnswer, Question, Refused, TooLate, ask
from edge_agent.local.finding import find
from edge_agent.local.place import NoSocket

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

INTERRUPTED = 130
SENTENCE_MAX_CHARS = 2000
IMPORT_WITHIN_S = 3600.0
# A large file from a slow stick onto a slow disk.


def run(arguments: Sequence[str], prog: str = "outrider agent") -> int:
    """Run a command line; return its exit status."""
    try:
        made = parser.parser(prog)
        given = made.parse_args(list(arguments))
        parser.check(given, made)
        return _carried_out(given)
    except parser.Usage as error:
        sys.stderr.write(f"{error.usage}\nError: {one_line(error, SENTENCE_MAX_CHARS)}\n")
        return 2
    except SystemExit as ended:
        # argparse has printed the help that was asked for.
        return int(ended.code or 0)
    except (Refused, NoSocket, NoAnswer) as error:
        return _failed(str(error))
    except OSError as error:
        return _failed(f"can't use {error.filename or 'standard output'}: {error.strerror}")
    except KeyboardInterrupt:
        return INTERRUPTED


def _carried_out(given: argparse.Namespace) -> int:
    wait = bool(_wants_to_wait(given))
    within_s = {"import": IMPORT_WITHIN_S}.get(given.verb, given.timeout if wait else ANSWER_WITHIN_S)
    path = find(given.state, given.socket, os.environ)
    with ExitStack() as stack:
        file = _opened(given.file, stack) if given.verb == "import" else None
        question = Question(
            given.verb, parser.arguments_of(given, wait=wait), parser.who(given), within_s, file
        )
        try:
            answer = ask(path, question, _tell)
        except TooLate as error:
            goes_on = f"{given.app} is not done after {within_s:g} s; it goes on: `outrider agent status` shows how far it is"
            return _failed(goes_on if wait else f"the agent at {path} gives {error}")
    if given.output == "json":
        sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    else:
        sys.stdout.write(_SHOWN[given.verb](answer))
    sys.stdout.flush()
    ended = answer.get("operationState") if isinstance(answer, dict) else None
    return 0 if ended is None or ended.get("phase") == "Succeeded" else 1


def _wants_to_wait(given: argparse.Namespace) -> bool:
    asked = getattr(given, "wait", False)
    return sys.stdout.isatty() if asked is None else asked


def _opened(name: str, stack: ExitStack) -> BinaryIO:
    """Return the file, which is read twice: what comes through a pipe is put aside first."""
    if name != "-":
        return stack.enter_context(open(name, "rb"))
    if sys.stdin.buffer.seekable():
        return cast("BinaryIO", sys.stdin.buffer)
    aside = cast("BinaryIO", stack.enter_context(tempfile.TemporaryFile()))  # noqa: SIM115 the stack closes it
    shutil.copyfileobj(sys.stdin.buffer, aside)
    return aside


def _tell(operation: Any) -> None:
    if isinstance(operation, dict):
        sys.stderr.write(shown.progress(operation) + "\n")
        sys.stderr.flush()


def _failed(sentence: str) -> int:
    sys.stderr.write(f"Error: {one_line(sentence, SENTENCE_MAX_CHARS)}\n")
    return 1


_SHOWN: dict[str, Callable[[Any], str]] = {
    "status": shown.status,
    "sync": lambda answer: shown.operation(answer, "sync"),
    "rollback": lambda answer: shown.operation(answer, "rollback"),
    "refresh": shown.refreshed,
    "terminate": lambda answer: shown.operation(answer, "terminate"),
    "hold": shown.held,
    "release": shown.released,
    "journal": shown.journal,
    "import": shown.imported,
}
