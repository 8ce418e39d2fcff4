"""Health by the cluster's settings: which script judges which kind, and what becomes of its answer."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.health import DEGRADED, HEALTHY, PROGRESSING, UNKNOWN, Checks, Health, check
from edge_agent.health.built_in import built_in, kinds
from edge_agent.health.checks import MESSAGE_CHARS


def checks(**scripts: str) -> Checks:
    return Checks({kind: {"lua": source} for kind, source in scripts.items()})


def says(word: str) -> dict[str, Any]:
    return {"lua": f'return {{status = "Healthy", message = "{word}"}}'}


def judged(settings: dict[str, dict[str, Any]], group: str, kind: str) -> str | None:
    health = Checks(settings).check(group, kind, {"metadata": {}})
    return health.message if health else None


def test_a_script_beats_the_agents_own_check() -> None:
    own = Checks({"apps/Deployment": says("by script")})
    deployment = {"metadata": {"generation": 2}, "spec": {"paused": True}}
    assert own.check("apps", "Deployment", deployment) == Health(HEALTHY, "by script")
    assert own.check("apps", "StatefulSet", deployment) == check("apps", "StatefulSet", deployment)


@pytest.mark.parametrize("key", ["Pod", "/Pod"])
def test_the_core_group_has_no_name(key: str) -> None:
    assert judged({key: says("pod")}, "", "Pod") == "pod"
    assert judged({key: says("pod")}, "example.com", "Pod") is None


@pytest.mark.parametrize(
    ("pattern", "group", "kind", "matches"),
    [
        ("*.crossplane.io/*", "ec2.aws.crossplane.io", "Instance", True),
        ("*.crossplane.io/*", "crossplane.io", "Instance", False),
        ("example.com/*", "example.com", "Widget", True),
        ("example.com/Wid*", "example.com", "Gadget", False),
        ("*/Widget", "example.com", "Widget", True),
        ("*/*", "", "ConfigMap", True),
        ("*", "example.com", "Widget", True),
    ],
)
def test_a_pattern_stands_for_the_kinds_that_it_matches(
    pattern: str, group: str, kind: str, matches: bool
) -> None:
    assert judged({pattern: says("here")}, group, kind) == ("here" if matches else None)


def test_a_name_beats_a_pattern_and_the_first_pattern_the_others() -> None:
    settings = {"*/*": says("all"), "a.*/*": says("some"), "a.example/Widget": says("one")}
    assert judged(settings, "a.example", "Widget") == "one"
    assert judged(settings, "a.example", "Gadget") == "all"
    assert judged(dict(reversed(settings.items())), "a.example", "Gadget") == "all"


@pytest.mark.parametrize("source", ["return", "return {}", "return nil", "local x = 1"])
def test_a_script_without_an_opinion_makes_an_object_count_for_nothing(source: str) -> None:
    assert Checks({"apps/Deployment": {"lua": source}}).check("apps", "Deployment", {}) is None


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("error('boom', 0)", "boom"),
        ("return obj.status.phase", "index"),
        ("(((", "can't be read"),
        ("return 'Healthy'", "no table"),
        ("return {message = 'x'}", "none of health's words"),
        ("return {status = 'healthy'}", "none of health's words: healthy"),
        ("return {status = 'Healthy', message = {}}", "no text"),
        ("while true do end", "took more than"),
    ],
)
def test_a_script_that_fails_makes_an_object_unknown_and_says_why(source: str, why: str) -> None:
    health = Checks({"*/Widget": {"lua": source}}).check("example.com", "Widget", {})
    assert health is not None
    assert health.status == UNKNOWN
    assert health.message.startswith("health script of */Widget: ")
    assert why in health.message


def test_a_failing_script_says_the_same_every_time() -> None:
    failing = Checks({"*/*": {"lua": "error(tostring(obj.name) .. ' is wrong')"}})
    assert len({failing.check("example.com", "Widget", {"name": "w"}) for _ in range(5)}) == 1


def test_open_libraries_are_given_where_they_are_asked_for() -> None:
    source = "return {status = 'Healthy', message = ('x'):upper()}"
    closed = Checks({"*/*": {"lua": source}}).check("example.com", "Widget", {})
    opened = Checks({"*/*": {"lua": source, "openLibs": True}}).check("example.com", "Widget", {})
    assert closed is not None
    assert closed.status == UNKNOWN
    assert opened == Health(HEALTHY, "X")


def test_settings_without_a_script_change_nothing() -> None:
    empty: dict[str, dict[str, Any]] = {
        "apps/Deployment": {"lua": "  "},
        "apps/DaemonSet": {"openLibs": True},
    }
    for kind in ("Deployment", "DaemonSet"):
        assert Checks(empty).check("apps", kind, {}) == check("apps", kind, {})


def test_a_message_of_a_script_is_cut_to_what_a_thin_link_bears() -> None:
    health = Checks({"*/*": {"lua": "return {status = 'Healthy', message = obj.text}"}}).check(
        "", "X", {"text": "é" * 10_000}
    )
    assert health is not None
    assert len(health.message) == MESSAGE_CHARS


def test_what_is_being_deleted_is_progressing_whatever_its_script_says_unless_it_is_held_for_its_sync() -> (
    None
):
    going = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    held = {"metadata": {**going["metadata"], "finalizers": ["argocd.argoproj.io/hook-finalizer"]}}
    own = Checks({"*/*": says("judged")})
    going_health, held_health = own.check("batch", "Job", going), own.check("batch", "Job", held)
    assert going_health is not None
    assert going_health.status == PROGRESSING
    assert held_health == Health(HEALTHY, "judged")


def test_only_kinds_whose_script_changed_are_judged_anew() -> None:
    before = Checks({"a/X": says("one"), "b/*": says("two"), "c/X": says("same")})
    after = Checks({"a/X": says("other"), "b/*": says("two"), "c/X": {**says("same"), "openLibs": True}})
    sorts = [("a", "X"), ("b", "X"), ("c", "X"), ("d", "X")]
    assert after.differing(before, sorts) == [("a", "X"), ("c", "X")]
    assert after.differing(Checks(), sorts) == [("a", "X"), ("b", "X"), ("c", "X")]


DOCUMENTED = """
hs = {}
hs.status = "Progressing"
hs.message = ""
if obj.status ~= nil and obj.status.health ~= nil then
  hs.status = obj.status.health.status
  hs.message = obj.status.health.message or ""
end
return hs
"""


def test_applications_of_applications_are_judged_by_the_usual_script() -> None:
    own = Checks({"argoproj.io/Application": {"lua": DOCUMENTED}})
    child = {"status": {"health": {"status": "Degraded", "message": "down"}}}
    assert own.check("argoproj.io", "Application", child) == Health(DEGRADED, "down")
    assert check("argoproj.io", "Application", child) is None


def test_every_kind_that_is_listed_has_a_check_that_takes_an_object_of_any_shape() -> None:
    shapes: list[Any] = [
        {},
        {"status": None},
        {"status": []},
        {"spec": 1, "status": {"conditions": [1, None]}},
    ]
    shapes += [{"status": {"conditions": {"a": 1}, "parents": [1], "listeners": 5, "ancestors": "x"}}]
    for name in kinds():
        group, _, kind = name.rpartition("/")
        assert built_in(group, kind) is not None, name
        for shape in shapes:
            health = check(group, kind, {"metadata": {"generation": 1}, **shape})
            assert health is not None, name
