"""What can be done on a site that nobody at the hub can reach."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.integration.edge_agent.asking import STUCK

from outrider_playground.waiting import eventually

from .conftest import WITHIN_S, LocalSite, config_map

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BY_HAND: dict[str, Any] = {"syncOptions": ["CreateNamespace=true"]}


async def delivered(site: LocalSite, app: str, *manifests: dict[str, Any], **spec: Any) -> None:
    """Have an application brought by a file."""
    site.hub.desire(app, *manifests, **spec)
    assert (await site.import_(site.hub.file())).status == 0


async def test_the_status_of_a_site_is_told_without_the_hub(site: LocalSite) -> None:
    async with site.agent():
        await delivered(site, "till", config_map("a", v="1"))
        await site.until_synced("till")
        found = await site.status()
        assert found["cluster"] == "shop1"
        assert found["link"]["connected"] is False
        assert found["link"]["acknowledged_at"] is None
        assert found["link"]["generation"] == [1, 1]
        shown = await site.done("status")
        assert "link        down since" in shown
        assert "the hub has acknowledged nothing since the agent began" in shown
        (line,) = [line for line in shown.splitlines() if line.startswith("till")]
        assert line.split() == ["till", "Synced", "Healthy", "r1"]


async def test_a_hold_defers_what_comes_by_itself_until_it_is_released(site: LocalSite) -> None:
    async with site.agent():
        await delivered(site, "till", config_map("a", v="1"))
        await site.until_synced("till")
        told = await site.done("hold", "--reason", "stocktaking", "--for", "4h", "--as", "anna")
        assert told.startswith("the whole cluster is held by anna until ")
        assert told.endswith(": stocktaking\n")
        await delivered(site, "till", config_map("a", v="2"))
        waiting = await site.until_app("till", lambda app: app["sync"] == "OutOfSync" and app["waits_for"])
        assert waiting["waits_for"].startswith("a sync waits: it is held by anna until ")
        assert site.live("a") == {"v": "1"}
        refused = await site.refused("sync", "till")
        assert "till can't be synced now: it is held by anna" in refused
        assert "`outrider agent sync till --despite-hold`" in refused
        assert "released: the whole cluster, held by anna" in await site.done("release", "--as", "jo")
        await site.until_synced("till")
        assert site.live("a") == {"v": "2"}
        kinds = [
            (entry["kind"], entry["detail"]) for entry in json.loads(await site.done("journal", "-o", "json"))
        ]
        began = next(detail for kind, detail in kinds if kind == "hold-began")
        assert (began["by"], began["reason"]) == ("anna", "stocktaking")
        ended = next(detail for kind, detail in kinds if kind == "hold-ended")
        assert (ended["how"], ended["endedBy"]) == ("released", "jo")


async def test_at_three_in_the_morning_an_application_that_syncs_by_itself_is_rolled_back_and_stays_so(
    site: LocalSite,
) -> None:
    async with site.agent():
        for value in ("1", "2"):
            await delivered(site, "till", config_map("a", v=value))
            await site.until_synced("till")
        assert "`outrider agent rollback till --hold`" in await site.refused("rollback", "till")
        assert (await site.status())["hold"]["standing"] == []
        told = await site.done(
            "rollback", "till", "--hold", "--for", "4h", "--reason", "tills froze", "--as", "anna", "--wait"
        )
        assert told.startswith("till is held by anna until ")
        assert "rollback  Succeeded" in told
        assert site.live("a") == {"v": "1"}
        await delivered(site, "till", config_map("a", v="3"))
        await site.until_app(
            "till", lambda app: app["revision"] == "r3" and "held by anna" in app["waits_for"]
        )
        assert site.live("a") == {"v": "1"}
        history = (await site.app("till"))["history"]
        assert history[-1]["initiatedBy"] == {"username": "site:anna"}
        await site.done("release", "till")
        await site.until_synced("till")
        assert site.live("a") == {"v": "3"}


async def test_a_new_version_that_never_becomes_healthy_is_rolled_back_without_further_ado(
    site: LocalSite,
) -> None:
    async with site.agent():
        await delivered(site, "till", config_map("a", v="1"))
        await site.until_synced("till")
        await delivered(site, "till", STUCK, config_map("a", v="2"))
        await site.until_app("till", lambda app: "stuck" in app["operation"].get("message", ""))
        told = await site.done("rollback", "till", "--hold", "--prune", "--wait")
        assert "rollback  Succeeded" in told
        assert site.live("a") == {"v": "1"}
        # Asked twice in haste, it stays where it is.
        assert "revision  r1" in await site.done("rollback", "till", "--hold", "--prune", "--wait")
        assert site.live("a") == {"v": "1"}


async def test_a_rollback_that_is_refused_holds_nothing(site: LocalSite) -> None:
    async with site.agent():
        await delivered(site, "till", config_map("a", v="1"))
        await site.until_synced("till")
        assert "has nothing to be rolled back to" in await site.refused("rollback", "till", "--hold")
        found = await site.status()
        assert found["hold"] == {"standing": [], "problems": []}
        assert "hold-began" not in await site.done("journal")


async def test_a_sync_is_waited_for_and_its_exit_status_tells(site: LocalSite) -> None:
    async with site.agent():
        await delivered(site, "till", config_map("a", v="1"), syncPolicy=BY_HAND)
        await site.until_app("till", lambda app: app["sync"] == "OutOfSync")
        ended = await site("sync", "till", "--wait", "--as", "anna")
        assert ended.status == 0
        assert "sync      Succeeded" in ended.stdout
        assert "ConfigMap  shop/a  Synced" in ended.stdout
        rule = site.cluster.faults.forbid("patch", "configmaps")
        await delivered(site, "till", config_map("a", v="2"), syncPolicy=BY_HAND)
        await site.until_app("till", lambda app: app["sync"] == "OutOfSync")
        ended = await site("sync", "till", "--wait")
        assert ended.status == 1
        assert "sync      Failed" in ended.stdout
        site.cluster.faults.remove(rule)
        first = json.loads(await site.done("sync", "till", "--dry-run", "--wait", "-o", "json"))
        again = json.loads(await site.done("sync", "till", "--dry-run", "--wait", "-o", "json"))
        assert first["operationState"]["phase"] == again["operationState"]["phase"] == "Succeeded"


async def test_whoever_waits_too_long_is_told_that_it_goes_on_and_a_sync_can_be_stopped(
    site: LocalSite,
) -> None:
    async with site.agent():
        await delivered(site, "till", STUCK, config_map("a", v="1"), syncPolicy=BY_HAND)
        await site.until_app("till", lambda app: app["sync"] == "OutOfSync")
        ended = await site("sync", "till", "--wait", "--timeout", "1")
        assert ended.status == 1
        assert "Running: " in ended.stderr
        assert "till is not done after 1 s; it goes on" in ended.stderr
        assert "terminate it first" in await site.refused("sync", "till")
        await site.done("terminate", "till", "--as", "anna")
        stopped = await site.until_app("till", lambda app: app["operation"].get("phase") == "Failed")
        assert stopped["operation"]["message"] == "terminated by site:anna"
        assert "no sync of till is under way" in await site.refused("terminate", "till")


async def test_what_is_typed_wrong_is_said_in_a_sentence(site: LocalSite) -> None:
    async with site.agent():
        await delivered(site, "till", config_map("a", v="1"))
        await site.until_synced("till")
        for arguments, says in (
            (("sync", "tilll"), "application 'tilll' is not on cluster 'shop1'"),
            (("hold", "tilll", "--reason", "x"), "tilll: not on cluster 'shop1', which has till"),
            (("hold", "--reason", " "), "say why"),
            (("hold", "--reason", "x", "--for", "4"), "for: '4' is no duration: write it as 4h, 90m or 2d"),
            (("hold", "--reason", "x", "--for", "15d"), "for: no hold is longer than 14 days"),
            (("hold", "--reason", "x", "--until", "soon"), "until: 'soon' is no time"),
            (("hold", "--reason", "x", "--until", "2020-01-01"), "is over by the clock of this site"),
            (("rollback", "till", "7", "--hold"), "till has no history entry 7; it has 0"),
            (("sync", "till", "--option", "Nonsense"), ""),
        ):
            ended = await site(*arguments)
            assert ended.status == (1 if says else 2), ended
            assert says in ended.stderr
            assert "Traceback" not in ended.stderr
        assert (await site.status())["hold"]["standing"] == []
        for line in ("hold", "sync", "nonsense", "rollback till --for 4h"):
            assert (await site(*line.split())).status == 2


async def test_the_config_map_holds_as_well_and_release_says_what_it_cant_end(site: LocalSite) -> None:
    site.cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "outrider"}}, manager="kubectl"
    )
    site.cluster.apply(
        {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "outrider-hold", "namespace": "outrider"},
            "data": {"reason": "Christmas", "by": "the manager", "for": "2h", "untill": "x"},
        },
        manager="kubectl",
    )  # fmt: skip
    async with site.agent():
        await delivered(site, "till", config_map("a", v="1"))
        waiting = await site.until_app("till", lambda app: app["waits_for"])
        assert "held by the manager (ConfigMap outrider-hold)" in waiting["waits_for"]
        assert site.live("a") is None
        shown = await site.done("status")
        assert "problem: ConfigMap outrider-hold: untill: is not known" in shown
        told = await site.done("release")
        assert "nothing was held by `hold`" in told
        assert "delete the ConfigMap to end it" in told
        ended = await site("sync", "till", "--despite-hold", "--wait")
        assert ended.status == 0
        assert site.live("a") == {"v": "1"}


@asynccontextmanager
async def process(site: LocalSite) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the agent as a process of its own."""
    environment = {
        **os.environ, "OUTRIDER_CREDENTIALS": str(site.folder / "shop1.creds"), "OUTRIDER_SERVERS": "tls://localhost:1",
        "OUTRIDER_STATE": str(site.state), "KUBECONFIG": str(site.folder / "kubeconfig"),
    }  # fmt: skip
    with (site.folder / "agent.log").open("ab") as log:
        made = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge_agent", env=environment, stderr=log
        )
    try:

        async def answers() -> bool:
            return (await site("status")).status == 0

        await eventually(answers, WITHIN_S)
        yield made
    finally:
        if made.returncode is None:
            made.kill()
        await made.wait()


async def test_an_agent_killed_at_any_moment_keeps_its_hold_and_what_it_was_told_to_do(
    site: LocalSite,
) -> None:
    async with process(site) as agent:
        for value in ("1", "2"):
            await delivered(site, "till", config_map("a", v=value))
            await site.until_synced("till")
        await site.done("rollback", "till", "--hold", "--reason", "tills froze", "--as", "anna", "--no-wait")
        agent.send_signal(signal.SIGKILL)
        await agent.wait()
        assert "no agent listens at" in await site.refused("status")
    assert (site.state / "agent.sock").is_socket()
    async with process(site) as agent:
        await eventually(lambda: site.live("a") == {"v": "1"}, WITHIN_S)
        waiting = await site.until_app("till", lambda app: app["waits_for"])
        assert "held by anna" in waiting["waits_for"]
        agent.send_signal(signal.SIGTERM)
        assert await agent.wait() == 0
    assert not (site.state / "agent.sock").exists()


async def test_a_second_agent_is_kept_from_the_folder_of_one_that_lives(site: LocalSite) -> None:
    async with process(site):
        environment = {
            **os.environ, "OUTRIDER_CREDENTIALS": str(site.folder / "shop1.creds"),
            "OUTRIDER_STATE": str(site.state), "KUBECONFIG": str(site.folder / "kubeconfig"),
        }  # fmt: skip
        second = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge_agent", env=environment, stderr=asyncio.subprocess.PIPE
        )
        _, said = await second.communicate()
        assert second.returncode == 2
        assert b"is in use by an agent that is running (process " in said
        assert b"Traceback" not in said
        assert (await site("status")).status == 0
