"""The cluster's own document at the edge."""

from typing import Any

from edge_agent.link.about import About
from edge_agent.link.outbox import Outbox
from outrider import codec, delta
from outrider.names import AppName
from outrider.subjects import CLUSTER


def told(about: About) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = []
    about.on_change = documents.append
    return documents


def test_a_section_is_told_when_it_becomes_another_and_only_then() -> None:
    about = About()
    documents = told(about)
    about.tell("agent", {"version": "1.0"})
    about.tell("agent", {"version": "1.0"})
    about.tell("hold", {"reason": "stocktaking"})
    about.tell("hold", None)
    assert documents == [
        {"agent": {"version": "1.0"}, "conditions": []},
        {"agent": {"version": "1.0"}, "hold": {"reason": "stocktaking"}, "conditions": []},
        {"agent": {"version": "1.0"}, "conditions": []},
    ]


def test_a_condition_stands_until_it_is_cleared() -> None:
    about = About()
    documents = told(about)
    about.condition("ReplicaRebuilt", "the file was damaged")
    about.condition("ReplicaRebuilt", "the file was damaged")
    about.condition("ReplicaRebuilt", "")
    assert [document["conditions"] for document in documents] == [
        [{"type": "ReplicaRebuilt", "message": "the file was damaged"}],
        [],
    ]


def test_what_moves_all_the_time_is_told_along_with_something_else() -> None:
    about, spent = About(), 0
    documents = told(about)
    about.sample("link", lambda: {"spent_today": spent})
    spent = 500
    about.tell("link", {"bytes_per_day": 1000})
    spent = 600
    assert documents == [{"link": {"bytes_per_day": 1000, "spent_today": 500}, "conditions": []}]
    about.refresh()
    assert documents[-1]["link"]["spent_today"] == 600


def test_the_set_of_applications_does_not_count_the_clusters_own_document() -> None:
    outbox = Outbox(1)
    outbox.put(AppName("till"), {"health": {"status": "Healthy"}})
    alone = outbox.set_digest()
    outbox.put(CLUSTER, {"agent": {"version": "1.0"}})
    assert outbox.set_digest() == alone
    entries = {entry[0]: entry for entry in outbox.take(0, 1 << 20).batch.entries}
    frame = entries["$cluster"][3]
    assert codec.unpack(delta.decompress(frame, max_bytes=1 << 10)) == {"agent": {"version": "1.0"}}
