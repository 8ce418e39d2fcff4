from __future__ import annotations

import pytest

from outrider_playground.kubernetes.comparing import compare
from outrider_playground.kubernetes.extracting import fields_of
from outrider_playground.kubernetes.list_items import TypingError
from outrider_playground.kubernetes.merging import merge
from outrider_playground.kubernetes.removing import remove
from outrider_playground.kubernetes.schema import named
from outrider_playground.kubernetes.typed_check import type_errors

POD = named("core.v1.PodSpec")
CONFIG = named("core.v1.ConfigMap")


def _names(*listed: str) -> dict[str, object]:
    return {"containers": [{"name": name} for name in listed]}


@pytest.mark.parametrize(
    ("live", "wanted", "merged"),
    [
        ("ab", "ab", "ab"),
        ("ab", "ba", "ba"),
        ("ab", "c", "abc"),
        ("abc", "b", "abc"),
        ("abcd", "dxb", "acdxb"),
        ("ab", "bxa", "bxa"),
        ("xay", "ab", "xaby"),
        ("", "ab", "ab"),
    ],
)
def test_keyed_lists_merge_in_the_order_of_the_configuration(live: str, wanted: str, merged: str) -> None:
    result = merge(POD, _names(*live), _names(*wanted))
    assert sorted(each["name"] for each in result["containers"]) == sorted(merged)
    shared = [each["name"] for each in result["containers"] if each["name"] in wanted]
    assert "".join(shared) == wanted
    alone = [each["name"] for each in result["containers"] if each["name"] not in wanted]
    assert "".join(alone) == "".join(name for name in live if name not in wanted)


def test_what_the_configuration_does_not_name_stays() -> None:
    live = {
        "containers": [{"name": "a", "image": "x:1", "env": [{"name": "E", "value": "1"}]}],
        "hostname": "h",
    }
    config = {"containers": [{"name": "a", "image": "x:2"}]}
    assert merge(POD, live, config) == {
        "containers": [{"name": "a", "image": "x:2", "env": [{"name": "E", "value": "1"}]}],
        "hostname": "h",
    }


def test_atomic_lists_and_maps_are_replaced_as_a_whole() -> None:
    live = {"containers": [{"name": "a", "args": ["x", "y"]}], "nodeSelector": {"disk": "ssd"}}
    config = {"containers": [{"name": "a", "args": ["z"]}], "nodeSelector": {"zone": "1"}}
    assert merge(POD, live, config) == config


def test_default_keys_tell_list_items_apart() -> None:
    live = {"containers": [{"name": "a", "ports": [{"containerPort": 53, "protocol": "UDP"}]}]}
    config = {"containers": [{"name": "a", "ports": [{"containerPort": 53}]}]}
    ports = merge(POD, live, config)["containers"][0]["ports"]
    assert ports == [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53}]


def test_two_items_with_the_same_key_can_not_be_merged() -> None:
    with pytest.raises(TypingError, match="duplicate entries"):
        merge(POD, _names("a"), _names("b", "b"))


@pytest.mark.parametrize(
    ("old", "new", "removed", "modified", "added"),
    [
        ({"data": {"a": "1"}}, {"data": {"a": "1"}}, {}, {}, {}),
        ({"data": {"a": "1"}}, {"data": {"a": "2"}}, {}, {"f:data": {"f:a": {}}}, {}),
        ({}, {"data": {"a": "1"}}, {}, {}, {"f:data": {".": {}, "f:a": {}}}),
        ({"data": {"a": "1"}}, {}, {"f:data": {".": {}, "f:a": {}}}, {}, {}),
        ({"data": None}, {"data": {"a": "1"}}, {}, {}, {"f:data": {"f:a": {}}}),
        ({}, {"data": {}}, {}, {}, {"f:data": {}}),
    ],
)
def test_comparing_names_leaves_and_what_appears_or_vanishes_as_a_whole(
    old: dict[str, object],
    new: dict[str, object],
    removed: dict[str, object],
    modified: dict[str, object],
    added: dict[str, object],
) -> None:
    assert compare(CONFIG, old, new) == (removed, modified, added)


def test_items_of_keyed_lists_are_compared_by_key_and_not_by_place() -> None:
    old = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}
    new = {"containers": [{"name": "b", "image": "2"}, {"name": "c", "image": "1"}]}
    found = compare(POD, old, new)
    assert found.removed == {"f:containers": {'k:{"name":"a"}': {".": {}, "f:image": {}, "f:name": {}}}}
    assert found.modified == {"f:containers": {'k:{"name":"b"}': {"f:image": {}}}}
    assert found.added == {"f:containers": {'k:{"name":"c"}': {".": {}, "f:image": {}, "f:name": {}}}}


def test_a_configuration_owns_its_leaves_and_its_list_items() -> None:
    config = {
        "containers": [{"name": "a", "ports": [{"containerPort": 80}]}],
        "nodeSelector": {"disk": "ssd"},
        "volumes": None,
    }
    assert fields_of(POD, config) == {
        "f:containers": {
            'k:{"name":"a"}': {
                ".": {},
                "f:name": {},
                "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
            }
        },
        "f:nodeSelector": {},
        "f:volumes": {},
    }


def test_removing_takes_leaves_items_and_wholes() -> None:
    value = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}], "hostname": "h"}
    fields: dict[str, object] = {
        "f:containers": {'k:{"name":"a"}': {}, 'k:{"name":"b"}': {"f:image": {}}},
        "f:hostname": {},
    }
    assert remove(POD, value, fields) == {"containers": [{"name": "b"}]}


@pytest.mark.parametrize(
    ("config", "path", "problem"),
    [
        ({"containers": "x"}, ".containers", "expected list, got string"),
        ({"hostname": 1}, ".hostname", "expected string, got number"),
        ({"priority": "high"}, ".priority", r"expected numeric \(int or float\), got string"),
        ({"hostNetwork": "yes"}, ".hostNetwork", "expected boolean, got string"),
        ({"bogus": 1}, ".bogus", "field not declared in schema"),
        ({"containers": [{"image": "x"}]}, ".containers", "omits all key fields"),
        ({"containers": [{"name": "a", "bogus": 1}]}, r'.containers\[name="a"\].bogus', "not declared"),
    ],
)
def test_what_does_not_fit_its_type_is_named_by_path(
    config: dict[str, object], path: str, problem: str
) -> None:
    errors = list(type_errors(POD, config))
    assert len(errors) == 1
    with pytest.raises(TypingError, match=f"{path}: .*{problem}"):
        raise errors[0]
