"""What a chaos run has done so far, as far as the next step depends on it: nothing here depends on how fast the machine is."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.e2e.faults.agreement import Wanted, demo_applications
from tests.e2e.faults.chaos.people import People

from outrider_playground.demo.edge import Edge
from outrider_playground.demo.fleet import Fleet

Act = Callable[[], Awaitable[None]]


@dataclass
class World:
    """A fleet under faults. Steps read and change it; at the end `heal` of each part takes every fault back."""

    fleet: Fleet
    people: People
    dice: random.Random
    wanted: dict[str, Wanted] = field(default_factory=dict)
    leftovers: set[tuple[str, str]] = field(default_factory=set)
    # (cluster, application) whose objects stay by intent: it moved away, as in Argo CD
    links_down: set[str] = field(default_factory=set)
    agents_down: set[str] = field(default_factory=set)
    services_down: set[str] = field(default_factory=set)
    nodes_down: set[str] = field(default_factory=set)
    apis_down: set[str] = field(default_factory=set)
    numbers: int = 0

    def __post_init__(self) -> None:
        self.wanted = demo_applications(self.fleet)

    def number(self) -> int:
        """Return a number that was not used before."""
        self.numbers += 1
        return self.numbers

    def edge(self) -> Edge:
        """Draw an edge."""
        return self.dice.choice(self.fleet.edges)


@dataclass(frozen=True)
class Step:
    """Something to do: `text` says it in the log, `act` does it. Everything random in it was drawn before."""

    text: str
    act: Act


Draw = Callable[[World], Step | None]
"""Draw a step's details; None: there is nothing of this kind to do now."""
