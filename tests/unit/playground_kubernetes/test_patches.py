from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider_playground.kubernetes.json_patch import JsonPatchError, apply_json_patch
from outrider_playground.kubernetes.merge_patch import apply_merge_patch
from outrider_playground.kubernetes.schema import named
from outrider_playground.kubernetes.strategic_patch import StrategicPatchError, apply_strategic_patch

if TYPE_CHECKING:
    from pathlib import Path

DEPLOYMENT = named("apps.v1.Deployment")
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_do_what_rfc_7386_says(document: Any, patch: Any, result: Any) -> None:
    assert apply_merge_patch(document, patch) == result


@given(_JSON, _JSON)
def test_a_merge_patch_carried_out_twice_does_what_it_did_once(document: Any, patch: Any) -> None:
    once = apply_merge_patch(document, patch)
    assert apply_merge_patch(once, patch) == once


@pytest.mark.parametrize(
    ("document", "operations", "result"),
    [
        ({"a": 1}, [{"op": "add", "path": "/b", "value": 2}], {"a": 1, "b": 2}),
        ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
        ({"a": 1, "b": 2}, [{"op": "remove", "path": "/a"}], {"b": 2}),
        ({"a": [1, 2]}, [{"op": "remove", "path": "/a/0"}], {"a": [2]}),
        ({"a": 1}, [{"op": "replace", "path": "/a", "value": 2}], {"a": 2}),
        ({"a": {"b": 1}}, [{"op": "move", "from": "/a/b", "path": "/c"}], {"a": {}, "c": 1}),
        ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
        ({"a/b": {"m~n": 1}}, [{"op": "test", "path": "/a~1b/m~0n", "value": 1}], {"a/b": {"m~n": 1}}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
    ],
)
def test_json_patches_do_what_rfc_6902_says(document: Any, operations: Any, result: Any) -> None:
    assert apply_json_patch(document, operations) == result


@pytest.mark.parametrize(
    ("operations", "malformed"),
    [
        ([{"op": "remove", "path": "/x"}], False),
        ([{"op": "replace", "path": "/x", "value": 1}], False),
        ([{"op": "add", "path": "/x/y", "value": 1}], False),
        ([{"op": "add", "path": "/l/9", "value": 1}], False),
        ([{"op": "remove", "path": "/l/-"}], False),
        ([{"op": "test", "path": "/n", "value": True}], False),
        ([{"op": "add", "path": "x", "value": 1}], True),
        ([{"op": "add", "path": "/x"}], True),
        ([{"op": "jump", "path": "/x"}], True),
        ([{"op": "move", "path": "/x"}], True),
        (["remove"], True),
        ({"op": "remove"}, True),
    ],
)
def test_a_json_patch_that_can_not_be_carried_out_is_refused(operations: Any, malformed: bool) -> None:
    with pytest.raises(JsonPatchError) as raised:
        apply_json_patch({"n": 1, "l": [1]}, operations)
    assert raised.value.malformed is malformed


@given(_JSON, _JSON)
def test_a_json_patch_leaves_the_document_it_was_given(before: Any, value: Any) -> None:
    document = {"a": before, "l": [1, 2]}
    copy = json.loads(json.dumps(document))
    apply_json_patch(
        document, [{"op": "replace", "path": "/a", "value": value}, {"op": "remove", "path": "/l/0"}]
    )
    assert document == copy


def _deployment(**pod: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "finalizers": ["example.com/a", "example.com/b"], "labels": {"x": "1"}},
        "spec": {
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
            "template": {"spec": pod},
        },
    }


_LIVE = _deployment(
    containers=[
        {"name": "a", "image": "x:1", "args": ["1"], "ports": [{"containerPort": 80, "name": "http"}]},
        {"name": "b", "image": "x:1", "env": [{"name": "E", "value": "1"}, {"name": "F", "value": "1"}]},
    ],
    volumes=[{"name": "v", "emptyDir": {}}],
    tolerations=[{"key": "k", "operator": "Exists"}],
)


def _pod_patch(**pod: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": pod}}}


STRATEGIC = {
    "containers merge by name": _pod_patch(containers=[{"name": "a", "image": "x:2"}]),
    "a container is added": _pod_patch(containers=[{"name": "c", "image": "x:1"}]),
    "a container is deleted": _pod_patch(containers=[{"name": "a", "$patch": "delete"}]),
    "all containers are replaced": _pod_patch(
        containers=[{"$patch": "replace"}, {"name": "c", "image": "x:1"}]
    ),
    "nested lists merge by their own keys": _pod_patch(
        containers=[{"name": "b", "env": [{"name": "E", "value": "2"}, {"name": "F", "$patch": "delete"}]}]
    ),
    "lists without a key are replaced": _pod_patch(tolerations=[{"key": "j", "operator": "Exists"}]),
    "null removes": {"metadata": {"labels": None}, "spec": {"strategy": {"rollingUpdate": None}}},
    "a map is replaced": {"metadata": {"labels": {"$patch": "replace", "y": "2"}}},
    "scalars merge as a set": {"metadata": {"finalizers": ["example.com/b", "example.com/c"]}},
    "scalars are deleted from a list": {
        "metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}
    },
    "only named keys are retained": {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}},
    "the order is set": _pod_patch(**{"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
}


@pytest.mark.parametrize("patch", STRATEGIC.values(), ids=STRATEGIC.keys())
def test_strategic_patches_do_what_kubectl_does(patch: dict[str, Any], tmp_path: Path, kubectl: str) -> None:
    manifest = tmp_path / "live.json"
    manifest.write_text(json.dumps(_LIVE))
    command = [kubectl, "patch", "--local", "-f", str(manifest), "-p", json.dumps(patch), "-o", "json"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603  # our own kubectl
    expected = json.loads(done.stdout)
    assert _bare(apply_strategic_patch(DEPLOYMENT, _LIVE, patch)) == _bare(expected)


def _bare(manifest: dict[str, Any]) -> Any:
    """Drop what kubectl's Go types write even when unset."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            inner = {key: clean(each) for key, each in value.items()}
            return {key: each for key, each in inner.items() if each not in (None, {}, [])}
        return [clean(each) for each in value] if isinstance(value, list) else value

    return clean(manifest)


@pytest.mark.parametrize(
    "patch",
    [
        _pod_patch(containers=[{"image": "x:2"}]),
        {"metadata": {"labels": {"$patch": "invert"}}},
        {"spec": {"strategy": {"$retainKeys": "type"}}},
        ["spec"],
    ],
)
def test_a_strategic_patch_that_makes_no_sense_is_refused(patch: Any) -> None:
    with pytest.raises(StrategicPatchError):
        apply_strategic_patch(DEPLOYMENT, _LIVE, patch)
