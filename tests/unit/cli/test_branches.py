from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from outrider_cli.app.branches import lines


def node(uid: str, kind: str = "Pod", *parents: str) -> dict[str, Any]:
    return {"uid": uid, "kind": kind, "name": uid, "parents": list(parents)}


def drawn(*nodes: dict[str, Any]) -> list[str]:
    return [line.stem + line.node["uid"] for line in lines(nodes)]


def test_what_belongs_to_an_object_is_drawn_below_it() -> None:
    assert drawn(
        node("web", "Deployment"),
        node("pod-b", "Pod", "set-2"),
        node("set-2", "ReplicaSet", "web"),
        node("set-1", "ReplicaSet", "web"),
        node("pod-a", "Pod", "set-2"),
        node("settings", "ConfigMap"),
    ) == ["web", "├─ set-1", "└─ set-2", "   ├─ pod-a", "   └─ pod-b", "settings"]


def test_what_is_below_one_that_is_not_the_last_keeps_its_line() -> None:
    assert drawn(node("a"), node("b", "A", "a"), node("c", "X", "b"), node("d", "B", "a")) == [
        "a", "├─ b", "│  └─ c", "└─ d",
    ]  # fmt: skip


def test_an_owner_that_is_not_there_makes_a_root_and_a_circle_is_cut() -> None:
    assert drawn(node("a", "Pod", "gone")) == ["a"]
    assert sorted(line.strip("└─ ") for line in drawn(node("a", "Pod", "b"), node("b", "Pod", "a"))) == [
        "a",
        "b",
    ]
    assert drawn(node("a", "Pod", "a")) == ["a"]


def test_objects_that_are_not_on_the_cluster_are_drawn_too() -> None:
    missing = {"kind": "ConfigMap", "name": "x", "parents": []}
    assert [line.node for line in lines([missing, {**missing, "name": "y"}])] == [
        missing,
        {**missing, "name": "y"},
    ]


def test_a_chain_of_any_depth_is_drawn() -> None:
    chain = [node("0"), *(node(str(n), "Pod", str(n - 1)) for n in range(1, 3000))]
    assert len(drawn(*chain)) == 3000


@given(st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=3)), max_size=12))
def test_every_object_is_drawn_once_whatever_owners_it_claims(edges: list[tuple[int, list[int]]]) -> None:
    nodes = [node(str(uid), "Pod", *map(str, parents)) for uid, parents in edges]
    assert sorted(line.node["uid"] for line in lines(nodes)) == sorted({str(uid) for uid, _ in edges})
