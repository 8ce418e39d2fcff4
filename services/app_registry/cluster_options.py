"""What a person may set of one cluster, beside labels and server: kept as annotations of its record. Pure.

A request names an option by its argument; what it does not name stays as it is, and an empty value (0, "") takes it away.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app_registry import arguments
from outrider.bus.services import RequestRefused
from outrider.spec.metadata import RENDER

TIME_ZONE = "outrider.dev/time-zone"
# Where its windows are read.
BYTES_PER_SECOND = "outrider.dev/bytes-per-second"
BYTES_PER_DAY = "outrider.dev/bytes-per-day"
# What its link may carry, both ways together.
BYTES_PER_SECOND_LEAST, BYTES_PER_DAY_LEAST = 50, 20_000
# Below, an idle cluster could not even tell that it is there.


@dataclass(frozen=True)
class Option:
    """One of them: the argument of a request, the annotation that keeps it, and how it is checked and shown."""

    argument: str
    annotation: str
    text: Callable[[dict[str, Any]], str]
    # of a request that names it; RequestRefused
    shown: Callable[[str], Any]
    is_told: bool = True
    # whether its agent has to know


def _bytes(argument: str, least: int) -> Callable[[dict[str, Any]], str]:
    def text(request: dict[str, Any]) -> str:
        value = arguments.optional(request, argument, int) or 0
        if value and (isinstance(value, bool) or value < least):
            raise RequestRefused(f"{argument}: must be {least} bytes at least, or 0 for no limit")
        return str(value) if value else ""

    return text


def _count(text: str) -> int:
    return int(text) if text.isdecimal() else 0


OPTIONS = (
    Option("time_zone", TIME_ZONE, arguments.time_zone, str),
    Option("bytes_per_second", BYTES_PER_SECOND, _bytes("bytes_per_second", BYTES_PER_SECOND_LEAST), _count),
    Option("bytes_per_day", BYTES_PER_DAY, _bytes("bytes_per_day", BYTES_PER_DAY_LEAST), _count),
    # What an agent renders, it is told application by application.
    Option("render", RENDER, arguments.render, lambda text: text or "hub", is_told=False),
)


def annotated(annotations: Mapping[str, str], request: dict[str, Any]) -> dict[str, str]:
    """Return a cluster's annotations with what a request says of its options. RequestRefused."""
    said = {option.annotation: option.text(request) for option in OPTIONS if option.argument in request}
    return {key: value for key, value in {**annotations, **said}.items() if value or key not in said}


def has_any(annotations: Mapping[str, str]) -> bool:
    """Whether the cluster has to be told of any."""
    return any(option.is_told and option.annotation in annotations for option in OPTIONS)


def shown(annotations: Mapping[str, str]) -> dict[str, Any]:
    """Return the options as requests name them; 0 or empty (of `render`: hub): not set."""
    return {option.argument: option.shown(annotations.get(option.annotation, "")) for option in OPTIONS}


def link(annotations: Mapping[str, str]) -> dict[str, int]:
    """Return the limits of the link as its agent is told them."""
    limits = {
        "bytesPerSecond": _count(annotations.get(BYTES_PER_SECOND, "")),
        "bytesPerDay": _count(annotations.get(BYTES_PER_DAY, "")),
    }
    return {key: value for key, value in limits.items() if value}
