"""What somebody may ask of an application, and what the history says."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from edge_agent.applications import (
    Approve,
    ClusterSettings,
    Desired,
    MemoryProgress,
    Refresh,
    Rollback,
    Selector,
    Settings,
    Sync,
    Terminate,
)
from edge_agent.applications.history import Deployed, entry_of, extended, trimmed
from edge_agent.applications.model import Removal
from edge_agent.applications.progress import Attempt, Progress, read
from edge_agent.applications.requested import refusal, take
from edge_agent.applications.state import Running, State
from edge_agent.applications.surroundings import Surroundings
from edge_agent.cluster import Key
from edge_agent.hold import holds
from edge_agent.sync import policy_of

if TYPE_CHECKING:
    from edge_agent.applications.requests import Operation

NOON = datetime(2026, 8, 22, 12, 0, tzinfo=UTC)
AUTOMATED: dict[str, Any] = {"syncPolicy": {"automated": {}}}
OTHER = bytes(range(32))


class Held:
    """Holds that stand for good."""

    def on(self, app: str) -> holds.Held | None:
        return holds.Held("held by anna until 06:00: stocktaking", 50.0)


def around(*, held: bool = False) -> Surroundings:
    unused = cast("Any", None)
    return Surroundings(
        cluster=unused, inventory=unused, watches=unused, store=MemoryProgress(), settings=Settings(),
        clock=lambda: NOON, chance=random.Random(1), on_status=unused, on_removed=unused,
        desired_elsewhere=unused, leftovers=unused, **({"holds": cast("Any", Held())} if held else {}),
    )  # fmt: skip


def desired(**spec: Any) -> Desired:
    return Desired("till", "uid", (1, 1), "r2", "aa" * 8, spec, list)


def deployed(number: int, revision: str = "r") -> Deployed:
    return Deployed(number, revision, f"{number:016x}", "2026-08-22T11:00:00Z", "2026-08-22T11:01:00Z")


def state(**progress: Any) -> State:
    return State("till", progress=Progress(**progress))


async def why(
    operation: Operation, spec: dict[str, Any], found: State, *, held: bool = False, urgent: str = ""
) -> str:
    found.policy = policy_of(spec)
    wanted = replace(desired(**spec), annotations={"outrider.dev/urgent": urgent} if urgent else {})
    return refusal(operation, wanted, (), found, around(held=held))


async def test_a_person_is_told_who_holds_until_when_and_why_and_what_goes_through() -> None:
    told = await why(Sync("1"), {}, state(), held=True)
    assert told == (
        "till can't be synced now: it is held by anna until 06:00: stocktaking; `outrider app sync till --urgent` goes through it, "
        "and on the site `outrider agent sync till --despite-hold`"
    )
    assert await why(Sync("1", despite_hold=True), {}, state(), held=True) == ""
    assert await why(Sync("1", dry_run=True), {}, state(), held=True) == ""
    assert await why(Terminate(), {}, state(attempt=Attempt("x", "Running")), held=True) == ""


async def test_what_syncs_by_itself_can_be_rolled_back_only_while_it_is_held() -> None:
    history = (deployed(0), deployed(1))
    asked, through = Rollback("1"), Rollback("1", despite_hold=True)
    assert "on its site hold it as well: `outrider agent rollback till --hold`" in await why(
        asked, AUTOMATED, state(history=history)
    )
    assert "while automated sync is on" in await why(through, AUTOMATED, state(history=history))
    assert "held by anna" in await why(asked, AUTOMATED, state(history=history), held=True)
    assert await why(through, AUTOMATED, state(history=history), held=True) == ""
    assert "through holds too, while outrider.dev/urgent is set" in await why(
        through, AUTOMATED, state(history=history), held=True, urgent="true"
    )
    assert "has no history entry 7" in await why(
        replace(through, history_id=7), AUTOMATED, state(history=history), held=True
    )


async def test_a_sync_that_began_by_itself_gives_way_to_a_rollback_under_a_hold_and_to_nothing_else() -> None:
    history = (deployed(0), deployed(1))
    busy = state(history=history, attempt=Attempt("x", "Running"))
    through = Rollback("1", despite_hold=True)
    assert await why(through, AUTOMATED, busy, held=True) == ""
    assert "is under way" in await why(Sync("1", despite_hold=True), AUTOMATED, busy, held=True)
    asked = state(history=history, attempt=Attempt("x", "Running"), request=Sync("0"))
    assert "is under way" in await why(through, AUTOMATED, asked, held=True)


async def test_what_is_urgent_is_held_by_nobody() -> None:
    assert await why(Sync("1"), AUTOMATED, state(), held=True, urgent="true") == ""
    assert "held by anna" in await why(Sync("1"), AUTOMATED, state(), held=True, urgent="false")


async def test_a_sync_of_what_is_desired_may_always_be_asked_for() -> None:
    for spec in ({}, AUTOMATED):
        assert await why(Sync("1"), spec, state()) == ""
        assert await why(Sync("1", revision="r2"), spec, state()) == ""
        assert await why(Sync("1", digest=bytes.fromhex("aa" * 32)), spec, state()) == ""


async def test_another_revision_is_refused_while_automated_sync_would_undo_it() -> None:
    asked = Sync("1", revision="r1", digest=OTHER)
    assert await why(asked, {}, state()) == ""
    assert "automated sync keeps it at r2" in await why(asked, AUTOMATED, state())
    assert await why(Sync("1", revision="r1", digest=OTHER, dry_run=True), AUTOMATED, state()) == ""
    assert "its bundle is not named" in await why(Sync("1", revision="r1"), {}, state())


async def test_a_rollback_is_refused_while_automated_sync_is_on() -> None:
    history = (deployed(3), deployed(4))
    assert "automated sync is on" in await why(Rollback("1", 3), AUTOMATED, state(history=history))
    assert await why(Rollback("1", 3), {}, state(history=history)) == ""
    assert await why(Rollback("1"), {}, state(history=history)) == ""
    assert "it has 3, 4" in await why(Rollback("1", 7), {}, state(history=history))
    assert "nothing to be rolled back to" in await why(Rollback("1"), {}, state(history=history[1:]))
    assert "ask again" in await why(Rollback("1", 3), {}, State("till"))


def running(only: frozenset[Key] | None = None) -> Running:
    return Running("i", None, only, False, False, "2026-08-22T11:59:00Z")


async def test_one_sync_is_under_way_at_a_time_and_a_heal_gives_way() -> None:
    busy = state(operation={"startedAt": "2026-08-22T11:59:00Z"})
    busy.running = running()
    assert "under way since 2026-08-22T11:59:00Z; terminate it first" in await why(Sync("1"), {}, busy)
    assert "terminate it first" in await why(Sync("1"), {}, state(attempt=Attempt("i", "Running")))
    assert "terminate it first" in await why(Sync("2"), {}, state(request=Sync("1")))
    assert await why(Sync("2"), {}, state(request=Sync("1"), tried=1)) == ""
    busy.running = running(frozenset())
    assert await why(Sync("1"), {}, busy) == ""


async def test_only_what_is_under_way_or_tried_again_can_be_terminated() -> None:
    busy = state()
    assert "no sync of till is under way" in await why(Terminate(), {}, busy)
    assert "no sync of till is under way" in await why(
        Terminate(), {}, state(attempt=Attempt("i", "Failed", 1))
    )
    assert await why(Terminate(), AUTOMATED, state(attempt=Attempt("i", "Failed", 1))) == ""
    assert await why(Terminate(), {}, state(request=Sync("1"), tried=1)) == ""
    busy.running = running()
    assert await why(Terminate(), {}, busy) == ""


async def test_an_approval_needs_something_that_could_wait_for_it() -> None:
    assert "no sync of till is under way" in await why(Approve(), {}, state())
    assert await why(Approve(), {}, state(attempt=Attempt("i", "Running"))) == ""
    removal = Removal("till", "uid", True, (1, 2))
    assert refusal(Approve(), removal, (), state(), around()) == ""
    assert "is being removed" in refusal(Sync("1"), removal, (), state(), around())
    assert refusal(Refresh(), removal, (), state(), around()) == ""


async def test_a_window_refuses_a_person_too_unless_it_lets_people_through() -> None:
    window = {"kind": "deny", "schedule": "0 11 * * *", "duration": "2h"}
    spec = {"project": {"windows": [window]}}
    found = await why(Sync("1"), spec, state())
    assert found.startswith("till can't be synced now: it is inside the deny window")
    assert "until 2026-08-22T13:00:00+00:00 (UTC)" in found
    assert await why(Sync("1", dry_run=True), spec, state()) == ""
    assert await why(Sync("1"), {"project": {"windows": [{**window, "manualSync": True}]}}, state()) == ""


def test_a_rollback_asks_for_the_bundle_of_then_without_hooks() -> None:
    found = state(history=(deployed(3, "r1"), deployed(4)))
    assert found.progress
    take(Rollback("9", 3, prune=True, initiated_by="jo"), found, found.progress, around())
    assert found.progress.request == Sync(
        "9", prune=True, initiated_by="jo", revision="r1", digest=bytes.fromhex(f"{3:016x}"), strategy="apply"
    )


def test_an_approval_is_kept_with_who_and_when_and_covers_what_it_names() -> None:
    found = state()
    assert found.progress
    take(Approve("jo", (Selector("apps", "Deployment", "web"),)), found, found.progress, around())
    kept = read(json.loads(json.dumps(found.progress.value())))
    assert kept
    assert kept.approvals[0].at == "2026-08-22T12:00:00Z"
    assert kept.approved(Key("apps", "Deployment", "shop", "web"))
    assert not kept.approved(Key("apps", "Deployment", "shop", "other"))


def test_everything_that_is_kept_survives_being_written_as_json() -> None:
    progress = Progress(
        attempt=Attempt("i", "Terminated", 2),
        request=Sync(
            "1", digest=OTHER, revision="r1", options=("Force=true",), strategy="apply", retry_limit=-1
        ),
        tried=2,
        ending="terminated by jo",
        history=(deployed(3), deployed(4)),
    )
    assert read(json.loads(json.dumps(progress.value()))) == progress
    assert progress.bundles == sorted({OTHER[:8].hex(), deployed(3).digest, deployed(4).digest})


def test_a_history_keeps_the_newest_and_counts_on() -> None:
    history: tuple[Deployed, ...] = ()
    made = {"revision": "r", "digest": "00" * 8, "started_at": "a", "deployed_at": "b"}
    for _ in range(13):
        history = extended(history, made, 10)
    assert [entry.id for entry in history] == list(range(3, 13))
    assert trimmed(history, 2) == history[-2:]
    assert trimmed(history, 0) == ()
    assert extended(history, made, 0) == ()
    assert entry_of(history, None) == history[-2]
    assert entry_of(history, 2) is None


def test_a_history_entry_says_who_and_of_several_sources_each_revision() -> None:
    assert deployed(1, "r1,r2").document() == {
        "id": 1,
        "revision": "r1,r2",
        "revisions": ["r1", "r2"],
        "deployStartedAt": "2026-08-22T11:00:00Z",
        "deployedAt": "2026-08-22T11:01:00Z",
        "initiatedBy": {"automated": True},
        "digest": "0000000000000001",
    }


def test_settings_of_a_cluster_are_read_without_what_is_not_known() -> None:
    found = ClusterSettings.of(
        {"health": {"a/B": {"lua": "x"}, "c/D": 1}, "actions": [], "timeZone": 3, "x": {}}
    )
    assert found == ClusterSettings(health={"a/B": {"lua": "x"}})
    assert ClusterSettings.of({"timeZone": "Europe/Berlin"}).time_zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("retry", "automated", "asked"),
    [(None, None, 0), ({}, None, 0), ({"limit": 3}, 3, 3), ({"limit": -1}, None, None), ({"limit": 0}, 0, 0)],
)
def test_retries_are_for_ever_unless_the_application_says_how_many(
    retry: dict[str, Any] | None, automated: int | None, asked: int | None
) -> None:
    policy = policy_of({"syncPolicy": {"retry": retry}})
    assert (policy.retry_limit, policy.asked_retry_limit) == (automated, asked)


@pytest.mark.parametrize(("given", "limit"), [(None, 10), (0, 0), (3, 3), (-1, 0)])
def test_the_history_limit_is_the_applications(given: int | None, limit: int) -> None:
    assert policy_of({"revisionHistoryLimit": given}).history_limit == limit


def test_a_store_forgets_bundles_with_their_application() -> None:
    async def run() -> dict[str, Any]:
        store = MemoryProgress()
        await store.put("till", {}, ["aa"])
        await store.delete("till")
        return store.bundles

    assert asyncio.run(run()) == {}
