"""Two controllers that undo each other's work for ever: the flash is spared, and nothing that matters waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.edge_local.conftest import LocalSite, config_map

from outrider_playground.waiting import eventually

from .test_offline import MENU, TILL, edit, healed, said, two_applications

if TYPE_CHECKING:
    from typing import Any

BUDGET = 200_000


async def written(site: LocalSite) -> int:
    replica: dict[str, Any] = (await site.status())["about"]["replica"]
    return int(replica["written_bytes_today"])


async def fight(site: LocalSite, rounds: int) -> None:
    for number in range(rounds):
        edit(site, MENU, f"undone {number}")
        await healed(site, MENU)


async def test_heals_without_end_write_no_more_than_a_day_s_budget(site: LocalSite) -> None:
    async with site.agent(replica_bytes_per_day=BUDGET):
        await two_applications(site)
        while await written(site) < BUDGET:
            await fight(site, 5)
        await eventually(lambda: said_spared(site), 30)
        before = await written(site)
        await fight(site, 40)
        # 28 KB a heal before; now what was under way is finished, and moved into the file, once.
        assert await written(site) - before < BUDGET / 2


async def said_spared(site: LocalSite) -> bool:
    return "every quarter of an hour" in await said(site, "ReplicaWritesSpared")


async def has_history(site: LocalSite, revisions: list[str]) -> bool:
    return [entry["revision"] for entry in (await site.app("till"))["history"]] == revisions


async def test_what_was_gathered_is_written_when_the_agent_ends_and_what_matters_at_once(
    site: LocalSite,
) -> None:
    async with site.agent(replica_bytes_per_day=1):
        await two_applications(site)
        await fight(site, 3)
        before = await written(site)
        site.hub.desire("till", config_map("till", coin="2"))
        assert (await site.import_(site.hub.file())).status == 0
        await site.until_synced("till")
        assert await written(site) > before
    async with site.agent():
        kinds = [line.split()[2] for line in (await site.done("journal")).splitlines()[1:]]
        assert "drift" in kinds
        await eventually(lambda: has_history(site, ["r2", "r3"]))
        edit(site, TILL, "drifted")
        await eventually(lambda: site.live("till") == {"coin": "2"}, 30)
