"""What an application asks not to be compared."""

from __future__ import annotations

import asyncio
import copy
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.cluster import Key
from edge_agent.diff import (
    ExpressionFailed,
    Expressions,
    Ignored,
    hidden,
    ignore_rules,
    ignored,
    respected,
    site_rules,
    suspicion,
)
from edge_agent.diff.expressions import _concrete
from edge_agent.diff.paths import find, with_live, without

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DESIRED: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "till", "namespace": "shop"},
    "spec": {
        "replicas": 2,
        "template": {"spec": {"containers": [{"name": "web", "image": "till:1", "args": ["a", "b"]}]}},
    },
}
DEPLOYMENT = Key("apps", "Deployment", "shop", "till")


def live(**spec: Any) -> dict[str, Any]:
    found = copy.deepcopy(DESIRED)
    found["spec"] |= spec
    return found


def injected(found: dict[str, Any]) -> dict[str, Any]:
    """As a sidecar injector leaves it: its container first."""
    containers = found["spec"]["template"]["spec"]["containers"]
    found["spec"]["template"]["spec"]["containers"] = [{"name": "proxy", "image": "mesh:7"}, *containers]
    return found


@pytest.fixture
async def expressions() -> AsyncIterator[Expressions]:
    found = Expressions()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(found.run())
        yield found
        task.cancel()


def test_rules_cover_objects_by_group_kind_name_and_namespace() -> None:
    rules = ignore_rules(
        {
            "ignoreDifferences": [
                {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]},
                {"group": "*", "kind": "*", "namespace": "shop", "jsonPointers": ["/metadata/labels/a~1b"]},
                {"kind": "Service", "name": "till", "jqPathExpressions": [".spec.x"]},
                {"group": "*.example.com", "kind": "*Set", "managedFieldsManagers": ["robot"]},
            ]
        }
    )
    assert ignored(rules, DEPLOYMENT).pointers == (("spec", "replicas"), ("metadata", "labels", "a/b"))
    assert ignored(rules, Key("", "Service", "other", "till")).expressions == (".spec.x",)
    assert ignored(rules, Key("a.example.com", "FooSet", "x", "y")).managers == ("robot",)
    assert not ignored(rules, Key("", "Service", "other", "queue"))


@pytest.mark.parametrize("every", ["*/*", "all"])
def test_the_clusters_settings_ignore_by_kind_or_everywhere(every: str) -> None:
    rules = site_rules(
        {
            "apps/Deployment": {"jsonPointers": ["/spec/replicas"]},
            "ConfigMap": {"jqPathExpressions": [".data.x"]},
            every: {"managedFieldsManagers": ["robot"]},
            "apps/*": {},
        }
    )
    assert ignored(rules, DEPLOYMENT) == Ignored((("spec", "replicas"),), (), ("robot",))
    assert ignored(rules, Key("", "ConfigMap", "shop", "x")) == Ignored((), (".data.x",), ("robot",))
    assert ignored(rules, Key("", "Secret", "shop", "x")) == Ignored((), (), ("robot",))


def test_taking_one_item_out_moves_no_other() -> None:
    assert without({"a": [0, 1, 2, 3]}, [("a", "0"), ("a", "2")]) == {"a": [1, 3]}
    assert without({"a": [{"b": 1, "c": 2}]}, [("a", "0", "b"), ("a", "0")]) == {"a": []}


def test_a_path_that_leads_to_nothing_changes_nothing() -> None:
    for path in [("x",), ("a", "7"), ("a", "b"), ("a", "0", "c"), ()]:
        assert without({"a": [0]}, [path]) == {"a": [0]}


def test_respected_ignored_fields_take_the_live_value() -> None:
    path = ("spec", "replicas")
    assert with_live(DESIRED, live(replicas=5), [path], [path])["spec"]["replicas"] == 5
    assert DESIRED["spec"]["replicas"] == 2


def test_a_respected_ignored_field_that_is_not_live_is_left_out() -> None:
    path = ("spec", "replicas")
    found = live()
    del found["spec"]["replicas"]
    assert "replicas" not in with_live(DESIRED, found, [path], [path])["spec"]


def test_a_respected_field_of_an_item_is_put_into_the_same_item() -> None:
    """The injected container stands first: what is ignored of position 1 is the desired one's position 0."""
    found = injected(live())
    found["spec"]["template"]["spec"]["containers"][1]["image"] = "till:hand"
    at = ("spec", "template", "spec", "containers", "1", "image")
    merged = with_live(DESIRED, found, [], [at])
    assert [item["image"] for item in merged["spec"]["template"]["spec"]["containers"]] == ["till:hand"]


def test_a_respected_item_is_kept_where_it_stands() -> None:
    at = ("spec", "template", "spec", "containers")
    merged = with_live(DESIRED, injected(live()), [], [(*at, "0")])
    names = [item["name"] for item in merged["spec"]["template"]["spec"]["containers"]]
    assert names == ["proxy", "web"]
    found = live()
    found["spec"]["template"]["spec"]["containers"][0]["args"] = ["x", "b", "c"]
    args = [(*at, "0", "args", "0"), (*at, "0", "args", "2")]
    merged = with_live(DESIRED, found, args[:1], args)
    assert merged["spec"]["template"]["spec"]["containers"][0]["args"] == ["x", "b", "c"]


def test_a_part_of_an_item_that_is_not_desired_is_not_applied() -> None:
    at = ("spec", "template", "spec", "containers", "0", "image")
    assert with_live(DESIRED, injected(live()), [], [at]) == DESIRED


def test_the_live_status_is_never_applied() -> None:
    assert with_live(DESIRED, {**live(), "status": {"x": 1}}, [], [("status",), ("status", "x")]) == DESIRED


async def test_an_ignored_item_of_a_list_is_found_by_what_it_says(expressions: Expressions) -> None:
    what = Ignored((), ('.spec.template.spec.containers[] | select(.name == "proxy")',), ())
    found = injected(live())
    assert await hidden(what, [DESIRED, found], found, expressions) == [DESIRED, DESIRED]
    merged = await respected(what, DESIRED, found, expressions)
    assert merged["spec"] == found["spec"]


@pytest.mark.parametrize(
    "expression",
    [
        *(
            ".spec.nothing[] | .x",
            ".spec.replicas[]",
            "error",
            ".",
            "empty",
            ".spec.replicas, .spec.replicas[]",
        ),
        'select("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!" | test("^(a|a)*$"))',
    ],
)
async def test_an_expression_that_fails_on_an_object_ignores_nothing(
    expressions: Expressions, expression: str
) -> None:
    assert await expressions.paths([expression], [DESIRED]) == [()]


@pytest.mark.parametrize("expression", ["{", ".a |", "import x", "nope(1)"])
async def test_what_is_no_expression_is_named_and_refused(expressions: Expressions, expression: str) -> None:
    with pytest.raises(ExpressionFailed) as caught:
        await expressions.paths([expression], [DESIRED])
    assert repr(expression) in str(caught.value)


@pytest.mark.parametrize(
    "expression",
    [
        "def f: f; f",
        "range(1e12) as $i | .a",
        '("x" * 1e9 | length) as $n | .a',
        "halt",
    ],
)
async def test_a_hostile_expression_ends_within_its_bounds_and_stops_nothing(
    expressions: Expressions, expression: str
) -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.005)
            beats += 1

    async with asyncio.TaskGroup() as tasks:
        beating = tasks.create_task(beat())
        with pytest.raises(ExpressionFailed) as caught:
            await expressions.paths([".spec.replicas", expression], [DESIRED])
        beating.cancel()
    assert caught.value.expression == expression
    # Others go on, and it is not tried again for a while.
    assert await expressions.paths([".spec.replicas"], [DESIRED]) == [(("spec", "replicas"),)]
    began_s = time.monotonic()
    with pytest.raises(ExpressionFailed):
        await expressions.paths([expression], [DESIRED])
    assert time.monotonic() - began_s < 0.5
    assert beats > 0


async def test_an_expression_sees_no_environment(
    expressions: Expressions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that an expression could read would show in what it leads to."""
    monkeypatch.setenv("CANARY", "replicas")
    assert await expressions.paths([".spec[env.CANARY]", ".spec[$ENV.CANARY]"], [DESIRED]) == [()]
    assert await expressions.paths(['.spec["replicas"]'], [DESIRED]) == [(("spec", "replicas"),)]


@pytest.mark.parametrize(
    ("steps", "paths"),
    [
        (["a", -1], [("a", "2")]),
        (["a", {"start": 1, "end": None}], [("a", "1"), ("a", "2")]),
        (["a", {"start": 0, "end": 2}, "x"], [("a", "0", "x")]),
        (["b", 0], []),
        ([], []),
        (None, []),
        (["a", 9], []),
    ],
)
def test_paths_are_read_as_the_object_has_them(steps: Any, paths: list[tuple[str, ...]]) -> None:
    assert _concrete(steps, {"a": [{"x": 1}, {}, {}], "b": {"0": 1}}) == paths


def owned_by(manager: str, fields: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    entry = {"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": fields}
    found["metadata"] = {**found["metadata"], "managedFields": [entry]}
    return found


SCALER: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
IMAGE: dict[str, Any] = {
    "f:spec": {
        "f:template": {
            "f:spec": {
                "f:containers": {'k:{"name":"web"}': {".": {}, "f:name": {}, "f:image": {}, "f:new": {}}}
            }
        }
    }
}


async def test_fields_of_an_ignored_manager_are_its_own(expressions: Expressions) -> None:
    found = owned_by("scaler", SCALER, live(replicas=7))
    wanted, seen = await hidden(Ignored((), (), ("scaler",)), [DESIRED, found], found, expressions)
    assert suspicion(wanted, seen, "outrider") == ()
    wanted, seen = await hidden(Ignored((), (), ("another",)), [DESIRED, found], found, expressions)
    assert suspicion(wanted, seen, "outrider") == ("/spec/replicas",)
    merged = await respected(Ignored((), (), ("scaler",)), DESIRED, found, expressions)
    assert merged["spec"]["replicas"] == 7


async def test_fields_of_an_ignored_manager_are_found_in_items_too(expressions: Expressions) -> None:
    found = injected(live())
    found["spec"]["template"]["spec"]["containers"][1] |= {"image": "till:robot", "new": 1}
    found = owned_by("robot", IMAGE, found)
    merged = await respected(Ignored((), (), ("robot",)), DESIRED, found, expressions)
    (container,) = merged["spec"]["template"]["spec"]["containers"]
    # What only the live object has is nothing that is desired.
    assert container == {"name": "web", "image": "till:robot", "args": ["a", "b"]}


async def test_what_an_ignored_manager_does_not_hold_is_compared(expressions: Expressions) -> None:
    found = owned_by("scaler", SCALER, live(replicas=7, paused=True))
    desired = {**DESIRED, "spec": {**DESIRED["spec"], "paused": False}}
    wanted, seen = await hidden(Ignored((), (), ("scaler",)), [desired, found], found, expressions)
    assert suspicion(wanted, seen, "outrider") == ("/spec/paused",)


VALUES = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abn"), inner, max_size=3),
    max_leaves=12,
)
PATHS = st.lists(st.lists(st.sampled_from(["a", "b", "n", "0", "1", "2"]), max_size=4).map(tuple), max_size=4)


@given(st.dictionaries(st.sampled_from("abn"), VALUES, max_size=3), PATHS)
def test_an_object_without_its_parts_and_with_them_again_has_them_all(
    found: dict[str, Any], paths: list[tuple[str, ...]]
) -> None:
    before = copy.deepcopy(found)
    leading = [path for path in paths if find(found, path)[0]]
    merged = with_live(found, found, leading, leading)
    assert found == before
    assert without(merged, leading).keys() == without(found, leading).keys()
