"""Row 2: an agent killed at any instant, online or offline, goes on from its replica."""

import asyncio
import os
import random
from collections import Counter
from typing import Any

import pytest
from tests.e2e.faults.agreement import Wanted, agree, demo_applications
from tests.e2e.faults.shop import apply, bump, bumped, delete, gone, is_mended, runs, shown, tell, vandalise

from outrider_playground.demo import content
from outrider_playground.demo.edge import Edge
from outrider_playground.demo.fleet import OneNodeFleet
from outrider_playground.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("healed")]

ROUNDS = 4
HOOK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations:
    argocd.argoproj.io/hook: PreSync
    argocd.argoproj.io/hook-delete-policy: BeforeHookCreation
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: "registry.example.com/migrate:1.0"}]
"""


async def test_an_agent_killed_at_any_instant_while_commits_flow_ends_in_step(fleet: OneNodeFleet) -> None:
    dice = random.Random(20)
    edge = fleet.edges[0]
    await agree(fleet)
    for _ in range(ROUNDS):
        await bump(fleet)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(tell(fleet), name="tell")
            # The instant is the point of the test: anywhere between the announcement and the last status.
            await asyncio.sleep(dice.uniform(0, 0.6))
            await edge.agent.kill()
            await edge.agent.start()
    await agree(fleet)


async def test_an_agent_killed_offline_heals_and_goes_on_from_its_replica(fleet: OneNodeFleet) -> None:
    dice = random.Random(21)
    edge = fleet.edges[1]
    await edge.link.cut()
    for _ in range(ROUNDS):
        vandalise(edge)
        # Anywhere in the healing.
        await asyncio.sleep(dice.uniform(0, 0.3))
        await edge.agent.kill()
        await edge.agent.start()
    await is_mended(edge)
    await edge.link.restore()
    await agree(fleet)


async def test_an_agent_that_starts_without_its_hub_runs_what_its_replica_holds(fleet: OneNodeFleet) -> None:
    edge = fleet.edges[1]
    tag = await bumped(fleet)
    await runs(tag, edge)
    await agree(fleet)
    await edge.link.cut()
    await edge.agent.kill()
    deployment = edge.cluster.get("Deployment", "shop", "shop", "apps/v1")
    assert deployment is not None
    edge.cluster.delete(deployment)
    await eventually(lambda: not edge.image("shop", "shop"))
    await edge.agent.start()
    await runs(tag, edge)
    await edge.link.restore()
    await agree(fleet)


class Made:
    """Counts the objects of a name that were ever made on a cluster, by what their annotation says."""

    def __init__(self, edge: Edge, name: str) -> None:
        self.counts: Counter[str] = Counter()
        self._edge, self._name, self._seen = edge, name, set[str]()
        edge.cluster.state.store.listen(self._note)

    def stop(self) -> None:
        self._edge.cluster.state.store.ignore(self._note)

    def _note(self, change: Any) -> None:
        one = change.manifest
        if (one["kind"], one["metadata"]["name"]) != ("Job", self._name) or change.before is not None:
            return
        if one["metadata"]["uid"] not in self._seen:
            self._seen.add(one["metadata"]["uid"])
            self.counts[one["spec"]["template"]["spec"]["containers"][0]["image"]] += 1


async def test_no_hook_runs_twice_for_one_sync_however_often_the_agent_is_killed(fleet: OneNodeFleet) -> None:
    dice = random.Random(22)
    edge = fleet.edges[0]
    files = {
        "hooked/job.yaml": HOOK,
        "hooked/deployment.yaml": content.deployment("hooked", "registry.example.com/hooked:1.0"),
    }
    await asyncio.to_thread(fleet.repository.commit, files, "Hooked")
    await apply(fleet, "hooked", edge, "hooked")
    await shown(fleet, "hooked", health="Healthy", sync="Synced")
    made = Made(edge, "migrate")
    for n in range(1, 5):
        changed = {
            "hooked/job.yaml": HOOK.replace("migrate:1.0", f"migrate:1.{n}"),
            "hooked/deployment.yaml": content.deployment("hooked", f"registry.example.com/hooked:1.{n}"),
        }
        await asyncio.to_thread(fleet.repository.commit, changed, f"Hooked 1.{n}")
        await tell(fleet)
        for _ in range(3):
            await asyncio.sleep(dice.uniform(0, 0.3))
            await edge.agent.kill()
            await edge.agent.start()
        await eventually(lambda n=n: edge.image("hooked", "hooked").endswith(f":1.{n}"), 60)  # type: ignore[misc]
    made.stop()
    assert made.counts == {f"registry.example.com/migrate:1.{n}": 1 for n in range(1, 5)}
    await delete(fleet.hub, "hooked")
    await gone(fleet, "hooked")
    await agree(fleet)


async def test_an_agent_killed_in_the_middle_of_a_transfer_leaves_no_half_applied_record(
    fleet: OneNodeFleet,
) -> None:
    edge = fleet.edges[0]
    # Random, so that nothing makes it small: some 200 KB in the bundle, three seconds at this rate.
    files = {f"heavy/{n}.yaml": _config_map(f"heavy-{n}", os.urandom(10_000).hex()) for n in range(20)}
    await asyncio.to_thread(fleet.repository.commit, files, "Heavy")
    await edge.agent.kill()
    edge.link.throttle(64_000)
    await edge.agent.start()
    await agree(fleet)
    before = edge.link.counters()
    await apply(fleet, "heavy", edge, "heavy")
    await eventually(lambda: (edge.link.counters() - before).down.payload_bytes > 50_000, 60)
    await edge.agent.kill()
    assert not edge.cluster.objects("ConfigMap", namespace="heavy")
    await edge.agent.start()
    edge.link.mend()
    await agree(fleet, {**demo_applications(fleet), "heavy": Wanted(edge.name, "heavy")})
    await delete(fleet.hub, "heavy")
    await gone(fleet, "heavy")
    await agree(fleet)


def _config_map(name: str, text: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{text: {text}}}\n"
