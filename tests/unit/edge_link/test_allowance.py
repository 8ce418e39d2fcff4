"""What the link may carry, as it is used."""

import asyncio
from pathlib import Path
from typing import Any

from edge_agent.link.about import About
from edge_agent.link.allowance import KNOCK_BYTES, Allowance
from edge_agent.link.budget import DAY_S, Lane, Limits
from edge_agent.replica import opened
from outrider.bus.reach import KNOCK_EVERY_S

NOON_S = 20_000 * DAY_S + DAY_S / 2


def conditions(about: About) -> list[str]:
    return [one["type"] for one in about.document()["conditions"]]


def test_a_restart_does_not_give_back_what_the_day_has_spent(tmp_path: Path) -> None:
    limits = Limits(bytes_per_day=100_000)
    with opened(tmp_path / "replica") as database:
        Allowance(limits, lambda: NOON_S, database).spend(Lane.STATE, 95_000)
    with opened(tmp_path / "replica") as database:
        again = Allowance(limits, lambda: NOON_S, database)
        assert again.wait_s(Lane.JOURNAL) > 0
        assert again.wait_s(Lane.HEALTH) == 0
        tomorrow = Allowance(limits, lambda: NOON_S + DAY_S, database)
        assert tomorrow.wait_s(Lane.JOURNAL) == 0


def test_the_hubs_limits_count_before_the_agents_own() -> None:
    allowance = Allowance(Limits(bytes_per_s=100, bytes_per_day=5), lambda: NOON_S)
    allowance.configure({"bytesPerSecond": 900})
    assert allowance.budget.limits == Limits(900, 5)
    allowance.configure({"bytesPerSecond": -1, "bytesPerDay": "many"})
    assert allowance.budget.limits == Limits(100, 5)
    allowance.configure(None)
    assert allowance.budget.limits == Limits(100, 5)


async def test_who_waits_for_a_budget_goes_when_the_hub_raises_it() -> None:
    allowance = Allowance(Limits(bytes_per_day=1000), lambda: NOON_S)
    allowance.spend(Lane.DESIRED, 5000)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        turn = tasks.create_task(allowance.turn(Lane.DESIRED))
        await asyncio.sleep(0)
        assert not turn.done()
        allowance.configure({"bytesPerDay": 1_000_000})


def test_a_spent_budget_is_told_and_told_no_more_when_the_day_is_over() -> None:
    now_s, about = NOON_S, About()
    allowance = Allowance(Limits(bytes_per_day=10_000), lambda: now_s, None, about)
    allowance.spend(Lane.STATE, 100)
    assert conditions(about) == []
    allowance.spend(Lane.STATE, 9_000)
    assert conditions(about) == ["LinkBudgetSpent"]
    link = about.document()["link"]
    assert link["bytes_per_day"] == 10_000
    assert link["spent_today"] == link["spent"]["state"] > 9_000
    now_s += DAY_S
    allowance.spend(Lane.REPLY, 10)
    assert conditions(about) == []


def test_a_message_is_no_larger_than_what_a_second_may_carry() -> None:
    allowance = Allowance(Limits(bytes_per_s=2000), lambda: NOON_S)
    assert allowance.part_bytes(allowance.up) == 2000
    unlimited = Allowance(Limits(), lambda: NOON_S)
    assert unlimited.part_bytes(unlimited.up) == unlimited.up.part_bytes


def test_the_hub_is_told_of_the_limits_at_once_and_of_every_tenth_of_a_day_that_is_spent() -> None:
    about = About()
    documents: list[dict[str, Any]] = []
    about.on_change = documents.append
    allowance = Allowance(Limits(), lambda: NOON_S, None, about)
    allowance.configure({"bytesPerDay": 10_000_000})
    assert documents[-1]["link"]["bytes_per_day"] == 10_000_000
    told = len(documents)
    for _ in range(100):
        allowance.spend(Lane.STATE, 50_000)
    assert 5 <= len(documents) - told <= 6


def test_knocking_at_a_hub_that_is_away_takes_half_of_a_days_budget_at_most() -> None:
    allowance = Allowance(Limits(), lambda: NOON_S)
    assert allowance.knock_every_s == KNOCK_EVERY_S
    allowance.configure({"bytesPerDay": 1_000_000})
    assert allowance.knock_every_s * 500_000 >= KNOCK_BYTES * DAY_S
