from typing import Any

import pytest

from app_registry import fitting, from_status
from outrider import codec
from outrider.manifests.names import Key

WEB = {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": "web"}
KEY = Key("apps", "Deployment", "shop", "web")


def resource(status: str = "Synced", health: str = "Healthy", **more: Any) -> dict[str, Any]:
    return {**WEB, "status": status, "health": {"status": health}, **more}


def test_a_tree_from_a_status_alone_says_that_it_holds_the_applications_own_objects_only() -> None:
    found = from_status.tree([resource("OutOfSync", "Degraded")])
    (node,) = found["nodes"]
    assert (node["name"], node["health"], node["sync"], node["parents"]) == (
        "web", {"status": "Degraded"}, "OutOfSync", [],
    )  # fmt: skip
    assert found["stale"] == from_status.NEVER_LOOKED


def test_a_newer_status_corrects_an_older_tree_and_leaves_what_it_does_not_speak_of() -> None:
    pod = {"group": "", "kind": "Pod", "namespace": "shop", "name": "web-1", "uid": "p", "parents": ["d"]}
    answer = {
        "nodes": [{**WEB, "uid": "d", "parents": [], "health": {"status": "Healthy"}}, pod],
        "orphaned": [1],
    }
    found = from_status.corrected_tree(answer, [resource(health="Degraded"), resource(name="new")])
    assert [node["name"] for node in found["nodes"]] == ["web", "web-1", "new"]
    assert found["nodes"][0] == {
        **WEB,
        "uid": "d",
        "parents": [],
        "health": {"status": "Degraded"},
        "sync": "Synced",
    }
    assert found["nodes"][1] == pod
    assert found["orphaned"] == [1]


@pytest.mark.parametrize(
    ("told", "state", "has_desired", "is_unknown"),
    [
        (resource("OutOfSync"), "modified", True, True),
        (resource("OutOfSync", "Missing"), "added", True, False),
        (resource("OutOfSync", requiresPruning=True), "removed", False, True),
    ],
)
def test_a_difference_from_a_status_alone_says_what_is_not_known(
    told: dict[str, Any], state: str, has_desired: bool, is_unknown: bool
) -> None:
    (found,) = from_status.differences([told, resource()], {KEY: {"kind": "Deployment"}}, [], "")["resources"]
    assert (found["state"], bool(found["desired"]), found["live"]) == (state, has_desired, None)
    assert ("message" in found) is is_unknown


def test_what_differs_no_more_is_left_out_of_what_was_seen_and_the_rest_keeps_its_values() -> None:
    seen: list[dict[str, Any]] = [
        {**WEB, "state": "modified", "changes": [1]},
        {**WEB, "name": "menu", "state": "modified"},
    ]
    now = [resource("OutOfSync"), resource(name="menu")]
    (found,) = from_status.differences(now, {}, seen, "2026-03-14T14:02:00Z")["resources"]
    assert (found["name"], found["changes"], found["live_as_of"]) == ("web", [1], "2026-03-14T14:02:00Z")


def large(number: int, size: int = 300 << 10) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"c{number}"},
        "data": {"a": "x" * size},
    }


def test_no_answer_is_larger_than_a_message_and_each_says_what_it_is_without() -> None:
    tree = fitting.tree({"nodes": [large(n) for n in range(5)], "orphaned": [large(9)], "truncated": False})
    assert ([len(tree[part]) for part in ("nodes", "orphaned")], tree["truncated"]) == ([2, 0], True)
    diff = fitting.differences(
        {"resources": [{**WEB, "live": large(n)} for n in range(5)], "truncated": False}
    )
    assert ([("message" in one) for one in diff["resources"]], diff["truncated"]) == (
        [False, False, True, True, True], True,
    )  # fmt: skip
    for answer in (tree, diff, fitting.differences({"resources": [resource()] * 20_000})):
        assert len(codec.pack(answer)) < codec.MESSAGE_MAX_BYTES
    small = {"nodes": [{"name": "a"}], "orphaned": [{"name": "b"}], "truncated": False}
    assert fitting.tree(small) == small


def test_pages_hold_every_object_once_and_name_those_that_no_page_can_hold() -> None:
    objects = [large(0), large(1), large(2, 2 << 20), large(3), large(4), large(5, 10)]
    names, left_out, after = list[str](), list[str](), 0
    while True:
        page = fitting.page(objects, after, 3)
        assert len(codec.pack(page.items)) < codec.MESSAGE_MAX_BYTES
        names += [one["metadata"]["name"] for one in page.items]
        left_out += page.left_out
        if page.next is None:
            break
        after = page.next
    assert names == ["c0", "c1", "c3", "c4", "c5"]
    assert left_out == ["ConfigMap c2"]
    assert fitting.page([], 7, 3) == fitting.Page([], None, [])
