"""How one simulated cluster behaves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Times are in seconds."""

    start_delay_s: float | None = 0.2
    """From a pod's creation until it is ready; None: no node runs pods, they stay Pending."""
    stop_delay_s: float = 0.05
    """From a pod's deletion until it is gone."""
    run_s: float = 0.2
    """How long a pod that is to end runs, such as a Job's."""
    controller_delay_s: float = 0.01
    """From a change until controllers act on it; changes in between are taken together."""
    nodes: int = 1
    """How many nodes there are for DaemonSets."""
    broken_tag: str = "broken"
    """A container whose image's tag contains this never becomes ready: its image can't be pulled."""
    failing_tag: str = "failing"
    """A container whose image's tag contains this ends with exit code 1."""
