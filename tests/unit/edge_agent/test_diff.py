"""Differences between a desired and a live object."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.diff import LiveState, Verdict, changes, digest, state_of, suspicion, verdict
from edge_agent.diff.paths import without

DESIRED: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "till", "namespace": "shop"},
    "spec": {
        "replicas": 2,
        "template": {
            "spec": {"containers": [{"name": "web", "image": "till:1", "ports": [{"containerPort": 80}]}]}
        },
    },
}
FIELDS: dict[str, Any] = {
    "f:spec": {
        "f:replicas": {},
        "f:template": {
            "f:spec": {
                "f:containers": {
                    'k:{"name":"web"}': {
                        ".": {},
                        "f:name": {},
                        "f:image": {},
                        "f:ports": {
                            'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}
                        },
                    }
                }
            }
        },
    }
}


def live(fields: dict[str, Any] | None = None) -> dict[str, Any]:
    """As the server answers: defaults filled in, owners noted, a status."""
    found = copy.deepcopy(DESIRED)
    found["metadata"] |= {
        "uid": "u",
        "resourceVersion": "7",
        "managedFields": [
            {
                "manager": "outrider",
                "operation": "Apply",
                "apiVersion": "apps/v1",
                "fieldsV1": fields or FIELDS,
            }
        ],
    }
    found["spec"]["strategy"] = {"type": "RollingUpdate"}
    found["spec"]["template"]["spec"]["containers"][0]["ports"][0]["protocol"] = "TCP"
    found["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "IfNotPresent"
    found["status"] = {"replicas": 2}
    return found


def owned(found: dict[str, Any], manager: str) -> bytes:
    return state_of(found, manager).owned


def suspects(desired: dict[str, Any], found: dict[str, Any], *pointers: tuple[str, ...]) -> tuple[str, ...]:
    return suspicion(without(desired, pointers), without(found, pointers), "outrider")


def test_what_the_server_adds_is_no_difference() -> None:
    assert suspects(DESIRED, live()) == ()


def test_a_changed_value_is_named_by_its_path() -> None:
    found = live()
    found["spec"]["replicas"] = 5
    assert suspects(DESIRED, found) == ("/spec/replicas",)


def test_a_field_that_went_is_a_difference() -> None:
    found = live()
    del found["spec"]["replicas"]
    assert suspects(DESIRED, found) == ("/spec/replicas",)


def test_a_field_that_left_the_desired_object_and_is_still_held_is_a_difference() -> None:
    wanted = copy.deepcopy(DESIRED)
    del wanted["spec"]["replicas"]
    assert suspects(wanted, live()) == ("/spec/replicas",)


def test_a_field_that_others_hold_is_no_difference() -> None:
    found = live()
    found["metadata"]["labels"] = {"added": "by-hand"}
    found["spec"]["minReadySeconds"] = 3
    assert suspects(DESIRED, found) == ()


def test_an_item_left_out_of_a_keyed_list_is_a_difference_while_it_is_held() -> None:
    wanted = copy.deepcopy(DESIRED)
    wanted["spec"]["template"]["spec"]["containers"] = [{"name": "other", "image": "till:1"}]
    assert suspects(wanted, live()) != ()


def test_status_and_the_servers_own_metadata_are_never_compared() -> None:
    wanted = copy.deepcopy(DESIRED) | {"status": {"replicas": 99}}
    wanted["metadata"] |= {"creationTimestamp": None, "resourceVersion": "1", "uid": "other", "generation": 9}
    assert suspects(wanted, live()) == ()


@pytest.mark.parametrize(("desired", "found"), [(True, 1), (1, True), ("1", 1), (0, False), (None, 1)])
def test_values_of_another_type_differ(desired: Any, found: Any) -> None:
    assert suspects({"data": {"a": desired}}, {"data": {"a": found}}) == ("/data/a",)


def test_a_desired_null_is_met_by_absence() -> None:
    assert suspects({"data": {"a": None}}, {"data": {}}) == ()


def test_paths_are_json_pointers_and_never_hold_values() -> None:
    wanted = {"kind": "Secret", "data": {"a/b~c": "c2VjcmV0LXZhbHVl"}}
    paths = suspects(wanted, {"kind": "Secret", "data": {"a/b~c": "b3RoZXI="}})
    assert paths == ("/data/a~1b~0c",)
    assert "c2VjcmV0" not in repr(paths)


def test_an_ignored_field_is_compared_by_nobody() -> None:
    found = live()
    found["spec"]["replicas"] = 5
    assert suspects(DESIRED, found, ("spec", "replicas")) == ()


def test_an_ignored_item_of_a_list_is_compared_by_nobody() -> None:
    found = live()
    found["spec"]["template"]["spec"]["containers"][0]["image"] = "till:hand"
    pointer = ("spec", "template", "spec", "containers", "0", "image")
    assert suspects(DESIRED, found, pointer) == ()


def test_what_a_dry_run_leaves_as_it_is_is_in_sync() -> None:
    before, after = live(), live()
    after["metadata"]["generation"] = 3
    assert changes(before, after, "outrider") == ()


def test_a_field_that_a_dry_run_would_set_back_is_named() -> None:
    before, after = live(), live()
    before["spec"]["replicas"] = 3
    assert changes(before, after, "outrider") == ("/spec/replicas",)


def test_an_item_that_a_dry_run_would_bring_back_is_named() -> None:
    before, after = live(), live()
    before["spec"]["template"]["spec"]["containers"] = [{"name": "other"}]
    assert all('"name":"web"' in path for path in changes(before, after, "outrider"))
    assert changes(before, after, "outrider")


def test_a_field_that_a_dry_run_would_let_go_is_named() -> None:
    """It was applied once and left the desired object: applied again, the server drops it."""
    fewer = copy.deepcopy(FIELDS)
    del fewer["f:spec"]["f:replicas"]
    before, after = live(), live(fewer)
    del after["spec"]["replicas"]
    assert changes(before, after, "outrider") == ("/spec/replicas",)


def test_a_webhook_that_writes_something_else_each_time_makes_no_difference() -> None:
    before, after = live(), live()
    before["metadata"]["annotations"] = {"mutated-at": "1"}
    after["metadata"]["annotations"] = {"mutated-at": "2"}
    after["spec"]["template"]["spec"]["containers"].append({"name": "injected-x1"})
    assert changes(before, after, "outrider") == ()
    assert set(changes(before, after, "outrider", by_others=True)) == {
        "/metadata/annotations/mutated-at",
        "/spec/template/spec/containers",
    }


def test_without_a_word_on_who_holds_what_every_change_counts() -> None:
    before, after = live(), live()
    after["metadata"]["managedFields"] = []
    after["spec"]["replicas"] = 3
    del after["spec"]["strategy"]
    assert set(changes(before, after, "outrider")) == {"/spec/replicas", "/spec/strategy"}


def test_the_owned_digest_changes_with_an_owned_value() -> None:
    found = live()
    found["spec"]["replicas"] = 5
    assert owned(found, "outrider") != owned(live(), "outrider")


def test_the_owned_digest_changes_when_somebody_takes_a_field_over() -> None:
    fewer = copy.deepcopy(FIELDS)
    del fewer["f:spec"]["f:replicas"]
    assert owned(live(fewer), "outrider") != owned(live(), "outrider")


def test_the_owned_digest_stays_when_only_status_or_others_fields_change() -> None:
    found = live()
    found["status"] = {"replicas": 0}
    found["metadata"] |= {"resourceVersion": "99", "labels": {"x": "y"}}
    found["spec"]["strategy"] = {"type": "Recreate"}
    assert owned(found, "outrider") == owned(live(), "outrider")


def test_an_object_applied_in_another_version_is_watched_as_a_whole() -> None:
    found, changed = live(), live()
    for one in (found, changed):
        one["metadata"]["managedFields"][0]["apiVersion"] = "apps/v2"
    changed["spec"]["elsewhere"] = 1
    assert owned(found, "outrider") != owned(changed, "outrider")


def test_sets_and_positions_are_understood() -> None:
    fields: dict[str, Any] = {"f:finalizers": {'v:"a"': {}, 'v:"gone"': {}}, "f:args": {"i:0": {}, "i:9": {}}}
    found = {
        "apiVersion": "v1",
        "finalizers": ["a", "b"],
        "args": ["x"],
        "metadata": {"managedFields": [{"manager": "outrider", "apiVersion": "v1", "fieldsV1": fields}]},
    }
    before = owned(found, "outrider")
    assert before != owned({**found, "finalizers": ["b"]}, "outrider")
    assert before != owned({**found, "args": ["y"]}, "outrider")
    assert before == owned({**found, "finalizers": ["a"]}, "outrider")


def test_a_verdict_holds_while_both_sides_stay_as_they_are() -> None:
    found = verdict(DESIRED, b"d", live(), "outrider", ("/spec/replicas",))
    assert found.holds_for(b"d", state_of(live(), "outrider"))
    assert not found.holds_for(b"e", state_of(live(), "outrider"))
    changed = live()
    changed["status"] = {"replicas": 0}
    assert found.holds_for(b"d", state_of(changed, "outrider"))
    changed["spec"]["paused"] = True
    assert not found.holds_for(b"d", state_of(changed, "outrider"))


def test_in_sync_holds_whatever_others_change_while_all_that_is_desired_is_held() -> None:
    found = verdict(DESIRED, b"d", live(), "outrider", ())
    changed = live()
    changed["spec"]["paused"] = True
    assert found.in_sync
    assert found.holds_for(b"d", state_of(changed, "outrider"))
    changed["spec"]["replicas"] = 9
    assert not found.holds_for(b"d", state_of(changed, "outrider"))


def test_in_sync_by_chance_is_looked_at_again_with_every_change() -> None:
    """Somebody set the desired value by hand and holds the field: a change of it would not show in what the agent holds."""
    fewer = copy.deepcopy(FIELDS)
    del fewer["f:spec"]["f:replicas"]
    found = verdict(DESIRED, b"d", live(fewer), "outrider", ())
    changed = live(fewer)
    changed["spec"]["replicas"] = 9
    assert found.in_sync
    assert found.holds_for(b"d", state_of(live(fewer), "outrider"))
    assert not found.holds_for(b"d", state_of(changed, "outrider"))


def test_a_difference_is_looked_at_again_with_every_change() -> None:
    state = state_of(live(), "outrider")
    found = Verdict(b"d", state, in_sync=False, paths=("/spec/replicas",))
    assert not found.holds_for(b"d", LiveState(state.owned, b"other"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.sampled_from(["data", "spec", "x/y"]), VALUES, max_size=3)


@given(OBJECTS)
def test_an_object_never_differs_from_itself(found: dict[str, Any]) -> None:
    assert suspects(found, found) == ()
    assert digest(found) == digest(json.loads(json.dumps(found)))


@given(OBJECTS, OBJECTS)
def test_adding_to_the_live_object_makes_no_difference(found: dict[str, Any], more: dict[str, Any]) -> None:
    assert suspects(found, {**more, **found}) == ()


@given(OBJECTS, st.sampled_from(["data", "spec", "x/y"]))
def test_ignoring_a_field_hides_every_difference_in_it(found: dict[str, Any], field: str) -> None:
    assert suspects({**found, field: "one"}, {**found, field: "two"}, (field,)) == ()
