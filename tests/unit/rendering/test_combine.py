from typing import Any

from outrider.rendering.combine import REPEATED, combined


def item(name: str, source: str, kind: str = "ConfigMap", api: str = "v1", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **metadata}, "from": source}


def test_the_last_of_equal_objects_wins_and_takes_its_own_place() -> None:
    found, warnings = combined([[item("a", "1"), item("b", "1")], [item("c", "2"), item("a", "2")]])
    assert [(one["metadata"]["name"], one["from"]) for one in found] == [("b", "1"), ("c", "2"), ("a", "2")]
    assert warnings == [
        [REPEATED, "ConfigMap a appears 2 times among the sources' objects; the last one counts."]
    ]


def test_objects_differ_by_group_kind_namespace_and_name_and_not_by_version() -> None:
    one = [
        item("a", "1"),
        item("a", "1", kind="Secret"),
        item("a", "1", namespace="x"),
        item("a", "1", api="x.io/v1"),
    ]
    found, warnings = combined([one, [item("a", "2", api="x.io/v2")]])
    assert len(found) == 4
    assert found[-1]["apiVersion"] == "x.io/v2"
    assert [message for _, message in warnings] == [
        "ConfigMap.x.io a appears 2 times among the sources' objects; the last one counts."
    ]


def test_objects_whose_name_the_cluster_makes_are_never_equal() -> None:
    made = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "migrate-"}}
    found, warnings = combined([[made, made], [made]])
    assert (len(found), warnings) == (3, [])


def test_of_many_repeated_objects_some_are_told_and_the_rest_is_counted() -> None:
    many = [item(f"a{number}", "1") for number in range(25)]
    found, warnings = combined([many, many, many])
    assert len(found) == 25
    assert len(warnings) == 10
    assert "appears 3 times" in warnings[0][1]
    assert warnings[-1][1].endswith("So do 15 more.")
