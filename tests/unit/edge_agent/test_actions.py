"""Actions: which an object has, and what each makes of it; by scripts of the settings and without."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from edge_agent.health.actions import ActionRefused, Change, discover, run

NOW = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)


@dataclass
class Settings:
    actions: dict[str, dict[str, Any]] = field(default_factory=dict)


def thing(
    kind: str, spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None
) -> dict[str, Any]:
    group, _, name = kind.rpartition("/")
    version = {"argoproj.io": "argoproj.io/v1alpha1"}.get(group, f"{group}/v1".lstrip("/"))
    found = {
        "apiVersion": version,
        "kind": name,
        "metadata": {"name": "x", "namespace": "shop", "uid": "u", "generation": 2},
        "spec": spec or {},
    }
    return found | ({"status": status} if status is not None else {})


def act(live: dict[str, Any], name: str, settings: Settings | None = None, **given: str) -> list[Change]:
    return run(live, name, given, settings or Settings(), lambda: NOW)


def offered(live: dict[str, Any], settings: Settings | None = None) -> dict[str, bool]:
    return {one["name"]: not one["disabled"] for one in discover(live, settings or Settings())}


def patched(live: dict[str, Any], name: str, **given: str) -> dict[str, Any]:
    before = repr(live)
    (change,) = run(live, name, given, Settings(), lambda: NOW)
    assert change.operation == "patch"
    assert repr(live) == before, "the live object is left as it is"
    return change.resource


@pytest.mark.parametrize("kind", ["apps/Deployment", "apps/StatefulSet", "apps/DaemonSet"])
def test_a_workload_restarts_as_kubectl_restarts_it(kind: str) -> None:
    live = thing(kind, {"template": {"metadata": {"labels": {"a": "b"}}}})
    template = patched(live, "restart")["spec"]["template"]
    assert template["metadata"] == {
        "labels": {"a": "b"},
        "annotations": {"kubectl.kubernetes.io/restartedAt": "2026-03-01T12:30:05Z"},
    }


def test_a_deployment_is_paused_resumed_and_scaled() -> None:
    assert offered(thing("apps/Deployment")) == {
        "pause": True,
        "restart": True,
        "resume": False,
        "scale": True,
    }
    paused = patched(thing("apps/Deployment"), "pause")
    assert paused["spec"] == {"paused": True}
    assert patched(paused, "resume")["spec"] == {}
    assert patched(paused, "scale", replicas="3")["spec"]["replicas"] == 3


@pytest.mark.parametrize("replicas", ["", "-1", "1.5", "many", "٣"])
def test_a_workload_is_scaled_to_whole_numbers_alone(replicas: str) -> None:
    with pytest.raises(ActionRefused, match="whole number"):
        act(thing("apps/Deployment"), "scale", replicas=replicas)


def test_an_action_says_its_parameters() -> None:
    found = {one["name"]: one.get("params") for one in discover(thing("apps/StatefulSet"), Settings())}
    assert found == {"restart": None, "scale": [{"name": "replicas"}]}


@pytest.mark.parametrize("kind", ["batch/CronJob", "batch/Job"])
def test_what_runs_in_turns_is_suspended_and_resumed(kind: str) -> None:
    live = thing(kind)
    assert "resume" not in offered(live)
    suspended = patched(live, "suspend")
    assert suspended["spec"]["suspend"] is True
    assert "suspend" not in offered(suspended)
    assert patched(suspended, "resume")["spec"]["suspend"] is False


def test_a_cron_jobs_job_is_made_at_once_and_belongs_to_it() -> None:
    template = {
        "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
        "spec": {"template": {"spec": {"volumes": [{"emptyDir": {}}]}}},
    }
    (change,) = act(thing("batch/CronJob", {"jobTemplate": template}), "create-job")
    assert change == Change(
        "create",
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": "x-2603011230",
                "namespace": "shop",
                "labels": {"a": "b"},
                "annotations": {"c": "d", "cronjob.kubernetes.io/instantiate": "manual"},
                "ownerReferences": [
                    {
                        "apiVersion": "batch/v1",
                        "kind": "CronJob",
                        "name": "x",
                        "uid": "u",
                        "blockOwnerDeletion": True,
                        "controller": True,
                    }
                ],
            },
            "spec": {"template": {"spec": {"volumes": [{"emptyDir": {}}]}}},
        },
    )


def test_a_job_that_is_over_can_only_be_looked_at() -> None:
    over = thing("batch/Job", status={"conditions": [{"type": "Complete", "status": "True"}]})
    assert offered(over) == {}
    with pytest.raises(ActionRefused, match="it has: none"):
        act(over, "terminate")


def test_a_job_is_ended_by_its_status() -> None:
    live = thing("batch/Job", status={"conditions": [{"type": "Suspended", "status": "False"}]})
    conditions = patched(live, "terminate")["status"]["conditions"]
    assert [(one["type"], one["status"]) for one in conditions] == [
        ("Suspended", "False"),
        ("FailureTarget", "True"),
    ]


ROLLING: dict[str, Any] = {"observedGeneration": "2", "currentPodHash": "b", "stableRS": "a"}
CANARY: dict[str, Any] = {"strategy": {"canary": {"steps": [{}, {}]}}}


def test_a_rollout_is_resumed_aborted_retried_promoted_and_skips_a_step() -> None:
    paused = thing("argoproj.io/Rollout", CANARY, {**ROLLING, "pauseConditions": [{}], "currentStepIndex": 1})
    assert offered(paused) == {
        "abort": True,
        "pause": True,
        "promote-full": True,
        "restart": True,
        "resume": True,
        "retry": False,
        "skip-current-step": True,
    }
    assert "pauseConditions" not in patched(paused, "resume")["status"]
    assert patched(paused, "promote-full")["status"]["promoteFull"] is True
    assert patched(paused, "skip-current-step")["status"] == {**ROLLING, "currentStepIndex": 2}
    aborted = patched(paused, "abort")
    assert aborted["status"]["abort"] is True
    assert "abort" not in patched(aborted, "retry")["status"]
    assert patched(paused, "restart")["spec"]["restartAt"] == "2026-03-01T12:30:05Z"


def test_a_promoted_rollout_is_neither_aborted_nor_promoted() -> None:
    done = thing("argoproj.io/Rollout", CANARY, {**ROLLING, "stableRS": "b"})
    assert not any(offered(done)[name] for name in ("abort", "retry", "promote-full", "pause"))
    with pytest.raises(ActionRefused, match="can't be done"):
        act(done, "abort")


def test_flux_is_asked_to_reconcile_unless_it_is_suspended() -> None:
    kind = "kustomize.toolkit.fluxcd.io/Kustomization"
    live = thing(kind)
    asked = patched(live, "reconcile")["metadata"]["annotations"]
    assert asked == {"reconcile.fluxcd.io/requestedAt": "2026-03-01T12:30:05Z"}
    assert offered(thing(kind, {"suspend": True})) == {"reconcile": False, "resume": True, "suspend": False}


def test_a_kind_without_actions_has_none() -> None:
    assert discover(thing("ConfigMap"), Settings()) == []
    with pytest.raises(ActionRefused, match="ConfigMap x has no action restart; it has: none"):
        act(thing("ConfigMap"), "restart")


DISCOVERY = """
actions = {}
actions["label"] = {["disabled"] = obj.metadata.labels ~= nil, ["displayName"] = "Label it"}
actions["copy"] = {}
actions["scale"] = {["params"] = {{["name"] = "replicas", ["default"] = "2"}}}
return actions
"""
LABEL = 'obj.metadata.labels = {a = actionParams["value"] or "none"} return obj'
COPY = """
local made = {apiVersion = "v1", kind = "ConfigMap", metadata = {name = obj.metadata.name .. "-copy"}}
made.metadata.labels = {}
made.data = {}
obj.spec.copied = true
return {{operation = "create", resource = made}, {operation = "patch", resource = obj}}
"""


def scripted(kind: str = "example.com/Widget", **more: Any) -> Settings:
    definitions = [{"name": "label", "lua": LABEL}, {"name": "copy", "lua": COPY}]
    return Settings({kind: {"discovery": DISCOVERY, "definitions": definitions, **more}})


def test_scripts_say_which_actions_there_are() -> None:
    assert discover(thing("example.com/Widget"), scripted()) == [
        {"name": "copy", "disabled": False},
        {"name": "label", "disabled": False, "displayName": "Label it"},
        {"name": "scale", "disabled": False, "params": [{"name": "replicas", "default": "2"}]},
    ]


def test_a_script_patches_the_object_and_leaves_the_rest_as_it_was() -> None:
    live = thing("example.com/Widget", {"empty": {}, "list": [], "big": 2**60 + 1, "deep": [{"map": {}}]})
    (change,) = act(live, "label", scripted(), value="v")
    labelled = {**live, "metadata": {**live["metadata"], "labels": {"a": "v"}}}
    assert change == Change("patch", labelled)


def test_a_script_creates_objects_too() -> None:
    made, changed = act(thing("example.com/Widget"), "copy", scripted())
    about = {"name": "x-copy", "labels": {}}
    assert made == Change("create", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": {}})
    assert changed.resource["spec"] == {"copied": True}


def test_scripts_take_the_place_of_the_agents_own_actions_or_join_them() -> None:
    live = thing("apps/Deployment")
    assert set(offered(live, scripted("apps/Deployment"))) == {"copy", "label", "scale"}
    merged = scripted("apps/Deployment", mergeBuiltinActions=True)
    assert set(offered(live, merged)) == {"copy", "label", "scale", "pause", "restart", "resume"}
    (change,) = act(live, "restart", merged)
    assert change.resource["spec"]["template"]["metadata"]["annotations"]


def returning(source: str) -> Settings:
    definitions = [{"name": "label", "lua": source}]
    return Settings({"example.com/Widget": {"discovery": DISCOVERY, "definitions": definitions}})


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("return 1", "returned no object"),
        ("while true do end", "took more than"),
        ("error('no', 0)", "no"),
        ("obj.metadata.name = 'other' return obj", "another object"),
        ("obj.metadata.namespace = 'other' return obj", "another object"),
        ("return {{operation = 'delete', resource = obj}}", "other than to create or to patch"),
        ("return {1}", "other than to create or to patch"),
        ("return {{operation = 'create', resource = {kind = 'X'}}}", "without apiVersion, kind or name"),
        ("return {{operation = 'patch', resource = {kind = 'X'}}}", "another object"),
    ],
)
def test_a_script_that_wants_what_it_may_not_is_refused(source: str, why: str) -> None:
    with pytest.raises(ActionRefused, match=why) as refused:
        act(thing("example.com/Widget"), "label", returning(source))
    assert "action label of Widget" in str(refused.value)


def test_a_disabled_action_is_refused_and_an_undefined_one_has_no_way_to_be_done() -> None:
    labelled = thing("example.com/Widget")
    labelled["metadata"]["labels"] = {"a": "b"}
    with pytest.raises(ActionRefused, match="can't be done"):
        act(labelled, "label", scripted())
    with pytest.raises(ActionRefused, match="no script for the action scale"):
        act(labelled, "scale", scripted())


@pytest.mark.parametrize("source", ["error('no', 0)", "return 1", "((("])
def test_a_discovery_that_fails_is_refused_and_says_why(source: str) -> None:
    settings = Settings({"example.com/Widget": {"discovery": source, "definitions": []}})
    with pytest.raises(ActionRefused, match="action discovery of Widget"):
        discover(thing("example.com/Widget"), settings)
