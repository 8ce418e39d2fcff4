"""What becomes of a rendering: what stands, and what is said of one that failed. Pure."""

from dataclasses import dataclass
from typing import Any

from edge_agent.rendering.orders import Order, shortened
from edge_agent.replica import Rendered
from outrider import codec, delta
from outrider.messages import Desired
from outrider.names import AppName

EMPTY_BUNDLE = delta.digest(codec.canonical([]))
COMPARISON_ERROR = "ComparisonError"
# Argo CD's type of condition.


@dataclass(frozen=True)
class Standing:
    """What an application is at: its last good rendering, if there is one, and conditions by type and message."""

    rendered: Rendered | None
    conditions: tuple[tuple[str, str], ...] = ()


class RendersNothing:
    """An agent that renders nothing: what is in force from before stays."""

    def want(self, app: AppName, record: Desired) -> None:
        """Nothing becomes of it."""

    def forget(self, app: AppName) -> None:
        """Nothing was known of it."""

    def again(self, app: AppName) -> None:
        """Nothing becomes of it."""

    def standing(self, app: AppName) -> Standing:
        """Say so."""
        return standing(None, "this agent does not render")


def awaiting(record: Desired, found: Standing) -> dict[str, Any]:
    """Return the status document of an application that was not rendered yet, in the shape of `applications.document`."""
    return {
        "sync": {"status": "Unknown", "revision": "", "generation": [record.epoch, record.counter]},
        "health": {"status": "Unknown"},
        "conditions": [{"type": kind, "message": message} for kind, message in found.conditions],
        "resources": [],
        "summary": {"images": []},
    }


def standing(rendered: Rendered | None, error: str) -> Standing:
    """Return what an application is at, with what is wrong."""
    wrong = ((COMPARISON_ERROR, error),) if error else ()
    return Standing(rendered, (*wrong, *(rendered.warnings if rendered else ())))


def failing(order: Order, message: str, revision: str, rendered: Rendered | None) -> str:
    """Say why an application is not at the newest state of its repositories, and at which one it is."""
    at = f" at {shortened(revision)}" if revision else ""
    stays = f" (stays at {shortened(rendered.revision)})" if rendered else ""
    return f"{order.shown}{at}: {message}{stays}"


def empties(order: Order, digest: bytes, rendered: Rendered | None) -> str:
    """Say why a rendering is not taken that would take away all that runs; empty: it is taken."""
    if digest != EMPTY_BUNDLE or order.allows_empty or rendered is None or rendered.digest == EMPTY_BUNDLE:
        return ""
    return (
        "renders to nothing, and would take away all that runs; "
        "set spec.syncPolicy.automated.allowEmpty if that is meant"
    )


def of_same_bundle(rendered: Rendered | None, digest: bytes) -> bool:
    """Tell whether the hub rendered just that before the edge took over: then nothing has changed, the revision neither."""
    return rendered is not None and not rendered.fingerprint and rendered.digest == digest
