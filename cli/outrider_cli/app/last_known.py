"""Answers about an application of which nobody knows whether they are still so: its cluster was asked and did not answer.

The hub then answers with what it knows last, and marks it: `source: last-known`, `as_of`, `age_s`, `presence`. For people that is a
heading in yellow, and a line on standard error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from outrider_cli import freshness
from outrider_cli.failure import note
from outrider_cli.output import styled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from rich.text import Text

    AnyFunction = Callable[..., Any]

SOURCE = "last-known"
MARK = (
    "source", "basis", "as_of", "age_s", "freshness", "presence", "heard_at_ms", "observed_at_ms", "received_at_ms",
    "revision", "digest", "undelivered_revision", "reason",
)  # fmt: skip
"""Fields that say where an answer is from and how old it is."""


def live_option(function: AnyFunction) -> AnyFunction:
    """Add `--live`; it arrives as `live`."""
    return click.option(
        "--live", is_flag=True, help="Only as it is now: fail where its cluster does not answer, instead of what is known last."
    )(function)  # fmt: skip


def is_last_known(answer: Mapping[str, Any]) -> bool:
    """Say whether an answer is of another time than now."""
    return answer.get("source") == SOURCE


def when(answer: Mapping[str, Any], now: datetime) -> str:
    """Return of when an answer is, as `as of 14:02, 37 min ago, cluster offline`."""
    age = answer.get("age_s")
    ago = "nobody knows how long ago" if age is None else f"{freshness.span(age)} ago"
    away = "offline" if answer.get("presence") == "offline" else "silent"
    return f"as of {freshness.as_of({'age_s': age}, now)}, {ago}, cluster {away}"


def heading(answer: Mapping[str, Any], now: datetime) -> list[Text | str]:
    """Return what stands above an answer that is not of now."""
    if not is_last_known(answer):
        return []
    told = when(answer, now)
    lines = [f"{told[0].upper()}{told[1:]}{_basis(answer)}", *_undelivered(answer)]
    return [*(styled(line, freshness.STALE) for line in lines), ""]


def note_age(answer: Mapping[str, Any], now: datetime) -> None:
    """Say beside the answer how old it is, and what it can't know."""
    if not is_last_known(answer):
        return
    note(f"note: not live, but {when(answer, now)}{_basis(answer)}")
    for line in _undelivered(answer):
        note(f"note: {line}")


def _undelivered(answer: Mapping[str, Any]) -> list[str]:
    revision = freshness.short_revision(answer.get("undelivered_revision"))
    return (
        [f"revision {revision} has not reached the cluster: what it changes is not in this"]
        if revision
        else []
    )


def _basis(answer: Mapping[str, Any]) -> str:
    return ": by its last status, nobody looked before" if answer.get("basis") == "status" else ""
