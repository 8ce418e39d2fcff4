"""The log of a hub that runs in a terminal: one line an event, with the process that it comes from in front.

The services log JSON, one object a line. It is written out as a person reads it; any other line stays as it is.
"""

import json
import os
import sys
from datetime import datetime
from typing import Any

from outrider_cli.terminal import visible, visible_line

SOURCE_WIDTH = 17
_LEVELS_TOLD = ("warning", "error", "critical")
_NOT_TOLD = ("event", "level", "timestamp", "exception")


def write(source: str, line: str) -> None:
    """Write a line of a process to the log, which is standard error.

    What is indented continues a traceback: its last line, which is not, tells what was wrong. With OUTRIDER_DEBUG=1 nothing is
    left out.
    """
    if os.environ.get("OUTRIDER_DEBUG") == "1":
        sys.stderr.write(f"{source:<{SOURCE_WIDTH}} | {visible(line)}\n")
    elif line.strip() and not line.startswith((" ", "\t", "Traceback (")):
        sys.stderr.write(f"{source:<{SOURCE_WIDTH}} | {readable(line)}\n")
    sys.stderr.flush()


def readable(line: str) -> str:
    """Return a line as it is shown."""
    try:
        logged = json.loads(line)
    except (ValueError, RecursionError):
        return visible_line(line)
    if not isinstance(logged, dict) or "event" not in logged:
        return visible_line(line)
    return visible_line(" ".join(_parts(logged)))


def _parts(logged: dict[str, Any]) -> list[str]:
    level = str(logged.get("level", ""))
    data = [f"{key}={value}" for key, value in logged.items() if key not in _NOT_TOLD]
    told = [level] if level in _LEVELS_TOLD else []
    parts = [_clock(str(logged.get("timestamp", ""))), *told, str(logged["event"]), *data]
    if "exception" in logged:
        parts.append(str(logged["exception"]).strip().rsplit("\n", 1)[-1])
    return [part for part in parts if part]


def _clock(timestamp: str) -> str:
    try:
        return datetime.fromisoformat(timestamp).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return ""
