"""Actions on live objects: what they write, and what they may not."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.applications import ClusterSettings
from edge_agent.cluster import Kind
from edge_agent.commands import actions as verbs
from edge_agent.commands.arguments import CannotDo
from edge_agent.commands.site import Site as Served
from outrider.messages import Command
from outrider.names import cluster_name

from .site import CONFIG_MAP, DEPLOYMENT, Agent, Site, config_map, deployment, synced

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CRON_JOB, JOB = Kind("batch", "v1", "CronJob"), Kind("batch", "v1", "Job")
POD = {"containers": [{"name": "a", "image": "shop/a:1"}], "restartPolicy": "Never"}


def cron_job(name: str) -> dict[str, Any]:
    template = {"spec": {"template": {"metadata": {"labels": {"job": "a"}}, "spec": POD}}}
    spec = {"schedule": "0 3 * * *", "suspend": True, "jobTemplate": template}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}


def job(name: str) -> dict[str, Any]:
    spec = {"suspend": True, "template": {"metadata": {"labels": {"job": "a"}}, "spec": POD}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


async def asked(
    verb: Callable[[Command, Served], Awaitable[Any]],
    agent: Agent,
    app: str,
    kind: Kind,
    name: str,
    **more: Any,
) -> Any:
    named = {"group": kind.group, "kind": kind.kind, "namespace": agent.site.namespace, "name": name}
    served = Served(cluster_name("shop1"), agent.applications, lambda apps: None)
    return await verb(Command(uuid.uuid4().hex, {"app": app, "resource": named, **more}), served)


async def test_a_restarted_deployment_is_still_what_git_says(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [deployment("web")])
    await agent.until_synced(app)
    offered = await asked(verbs.actions, agent, app, DEPLOYMENT, "web")
    assert [one["name"] for one in offered if not one["disabled"]] == ["pause", "restart", "scale"]
    done = await asked(verbs.action, agent, app, DEPLOYMENT, "web", action="restart")
    assert done == {"result": [f"Deployment.apps {site.namespace}/web patched"]}
    live = await site.get(DEPLOYMENT, "web")
    assert live is not None
    assert live["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"]
    agent.refresh(app, hard=True)
    await agent.settle(app)
    document = agent.applications.document(app)
    assert document is not None
    assert synced(document)


async def test_a_cron_jobs_job_is_run_by_hand(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [cron_job("night")])
    await agent.until_synced(app)
    (said,) = (await asked(verbs.action, agent, app, CRON_JOB, "night", action="create-job"))["result"]
    name = said.removeprefix(f"Job.batch {site.namespace}/").removesuffix(" created")
    made = await site.get(JOB, name)
    assert made is not None
    assert [owner["name"] for owner in made["metadata"]["ownerReferences"]] == ["night"]
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "shop/a:1"


async def test_what_is_in_the_status_is_written_there(agent: Agent, site: Site, app: str) -> None:
    agent.desire(app, [job("import")], sync={})
    agent.ask(app)
    await site.until(JOB, "import", lambda live: live is not None and live.get("status"))
    await agent.until_watching(JOB)
    await asked(verbs.action, agent, app, JOB, "import", action="terminate")
    await site.until(
        JOB,
        "import",
        lambda live: (
            live is not None
            and "FailureTarget" in [one["type"] for one in live["status"].get("conditions", ())]
        ),
    )


SCRIPTS = {
    "ConfigMap": {
        "discovery": "return {mark = {}, stray = {}, broken = {}}",
        "definitions": [
            {"name": "mark", "lua": "obj.data[actionParams.key] = 'here' return obj"},
            {"name": "stray", "lua": "obj.metadata.name = 'other' return obj"},
            {"name": "broken", "lua": "error('not today', 0)"},
        ],
    }
}


async def test_scripts_of_the_settings_act(agent: Agent, site: Site, app: str) -> None:
    agent.applications.configure(ClusterSettings(actions=SCRIPTS))
    agent.desire(app, [config_map("a")], sync={})
    agent.ask(app)
    await agent.until(app, synced)
    await asked(verbs.action, agent, app, CONFIG_MAP, "a", action="mark", parameters={"key": "k"})
    live = await site.get(CONFIG_MAP, "a")
    assert live is not None
    assert live["data"] == {"a": "1", "k": "here"}


@pytest.mark.parametrize(
    ("action", "why"),
    [("stray", "another object"), ("broken", "not today"), ("unheard-of", "has no action unheard-of")],
)
async def test_what_an_action_may_not_do_is_refused_with_a_sentence(
    agent: Agent, site: Site, app: str, action: str, why: str
) -> None:
    agent.applications.configure(ClusterSettings(actions=SCRIPTS))
    agent.desire(app, [config_map("a")])
    await agent.until_synced(app)
    with pytest.raises(CannotDo, match=why):
        await asked(verbs.action, agent, app, CONFIG_MAP, "a", action=action)
