"""A mutating admission webhook, beside the stand-in's own rules: every write of a kind goes through it, dry runs
too.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from outrider_playground.kubernetes.rules import kinds

Mutate = Callable[[dict[str, Any]], None]
"""Changes an object in place."""


@contextlib.contextmanager
def mutating(group: str, plural: str, mutate: Mutate) -> Iterator[None]:
    """Have each object of a kind changed before it is stored."""
    storage = (group, plural)
    rules = kinds.rules_of(storage)

    def admitted(found: dict[str, Any]) -> None:
        whole = copy.deepcopy(found)
        mutate(whole)
        found.clear()
        found.update(whole)

    def prepare(state: Any, found: dict[str, Any]) -> None:
        rules.prepare(state, found)
        admitted(found)

    def keep(state: Any, found: dict[str, Any], live: dict[str, Any]) -> None:
        rules.keep(state, found, live)
        admitted(found)

    before = kinds._RULES.get(storage)
    kinds._RULES[storage] = dataclasses.replace(rules, prepare=prepare, keep=keep)
    try:
        yield
    finally:
        if before is None:
            del kinds._RULES[storage]
        else:
            kinds._RULES[storage] = before
