from dataclasses import replace
from typing import Any

import pytest
from tests.unit.status_aggregator.edge_model import EdgeModel, batch, entry, gone, operation, status

from outrider import codec, delta
from outrider.messages import StatusBatch
from status_aggregator import frames
from status_aggregator.edge import Edge, Folded, Limits, begin_gathering
from status_aggregator.fold import RETIRED_FOR_MS, fold, fold_together

LIMITS = Limits()
A, B = status("Healthy"), status("Degraded", message="crash loop")
UNTOLD = {"another": A}
# A set that is none of those under test.


def fold_all(*batches: StatusBatch, edge: Edge | None = None, limits: Limits = LIMITS) -> Folded:
    folded = Folded(edge or Edge())
    for one in batches:
        folded = fold(folded.edge, one, 1_000, limits)
    return folded


def told(folded: Folded) -> dict[str, Any]:
    """Return the documents that become others by a batch."""
    return {change.app: codec.unpack(frames.unpack(change.after.frame)) for change in folded.changes}


def held(edge: Edge) -> dict[str, Any]:
    return {app: codec.unpack(frames.unpack(known.frame)) for app, known in edge.apps.items() if known.frame}


def test_the_first_batch_of_an_edge_is_taken_whole() -> None:
    folded = fold_all(batch(1, {"till": A, "menu": B}, [entry("till", A), entry("menu", B)]))
    assert held(folded.edge) == {"till": A, "menu": B}
    assert [(c.app, c.before) for c in folded.changes] == [("till", None), ("menu", None)]
    assert (folded.is_restart, folded.differs, folded.edge.lacking) == (True, False, frozenset())


def test_a_change_comes_as_a_patch_against_what_the_hub_holds() -> None:
    folded = fold_all(batch(1, {"till": A}, [entry("till", A)]), batch(2, {"till": B}, [entry("till", B, A)]))
    assert held(folded.edge) == {"till": B}
    assert folded.changes[0].after.marks.health == "Degraded"
    assert folded.changes[0].before is not None
    assert not folded.differs


@pytest.mark.parametrize("repeated", [1, 2], ids=["old", "same"])
def test_a_batch_that_was_folded_before_changes_nothing(repeated: int) -> None:
    batches = [batch(1, {"till": A}, [entry("till", A)]), batch(2, {"till": B}, [entry("till", B, A)])]
    once = fold_all(*batches)
    again = fold(once.edge, batches[repeated - 1], 2_000, LIMITS)
    assert again.is_old
    assert again.edge is once.edge
    assert not again.changes


def test_a_patch_whose_base_was_lost_asks_for_that_application_alone() -> None:
    C = status("Progressing")
    edge = fold_all(batch(1, {"till": A, "menu": A}, [entry("till", A), entry("menu", A)])).edge
    folded = fold(edge, batch(3, {"till": C, "menu": A}, [entry("till", C, B)]), 1_000, LIMITS)
    assert folded.edge.lacking == {"till"}
    assert not folded.differs
    assert not folded.rejected
    assert held(folded.edge)["till"] == A
    mended = fold(folded.edge, batch(4, {"till": C, "menu": A}, [entry("till", C)]), 1_000, LIMITS)
    assert held(mended.edge)["till"] == C
    assert not mended.edge.lacking


def test_a_set_that_comes_in_parts_is_judged_when_the_last_has_come() -> None:
    whole = {"till": A, "menu": B}
    first = fold_all(replace(batch(1, whole, [entry("till", A)]), set_digest=b""))
    assert not first.differs
    second = fold(first.edge, batch(2, whole, [entry("menu", B)]), 1_000, LIMITS)
    assert not second.differs
    assert held(second.edge) == whole
    third = fold(second.edge, batch(3, {"menu": B}, []), 1_000, LIMITS)
    assert third.differs


def test_a_lost_batch_is_found_by_the_set_digest_and_everything_is_asked_for() -> None:
    edge = fold_all(batch(1, {"till": A}, [entry("till", A)])).edge
    folded = fold(edge, batch(3, {"till": B}), 1_000, LIMITS)
    assert folded.differs
    assert held(folded.edge) == {"till": A}


def test_a_gap_that_lost_nothing_asks_for_nothing() -> None:
    edge = fold_all(batch(1, {"till": A}, [entry("till", A)])).edge
    folded = fold(edge, batch(7, {"till": B}, [entry("till", B, A)]), 1_000, LIMITS)
    assert (folded.differs, folded.edge.lacking) == (False, frozenset())


def test_an_application_that_is_gone_is_removed() -> None:
    folded = fold_all(batch(1, {"till": A, "menu": A}, [entry("till", A), entry("menu", A)]))
    folded = fold(folded.edge, batch(2, {"till": A}, [gone("menu")]), 1_000, LIMITS)
    assert folded.removed == ("menu",)
    assert held(folded.edge) == {"till": A}
    assert not folded.differs


def test_that_an_application_is_gone_is_told_even_if_the_hub_never_knew_it() -> None:
    folded = fold_all(batch(1, {}, [gone("menu")]))
    assert (folded.removed, folded.absent) == ((), ("menu",))


def test_a_rebuilt_edge_loses_what_is_not_in_its_first_whole_set() -> None:
    edge = fold_all(batch(9, {"till": A, "menu": A}, [entry("till", A), entry("menu", A)])).edge
    folded = fold(edge, batch(1, {"till": B}, [entry("till", B)], epoch=2), 1_000, LIMITS)
    assert folded.is_restart
    assert folded.removed == ("menu",)
    assert held(folded.edge) == {"till": B}


def test_a_whole_set_in_several_batches_is_complete_with_the_last_of_them() -> None:
    before = {"a": A, "b": A, "gone": A}
    edge = fold_all(batch(1, before, [entry(app, A) for app in before])).edge
    first = fold(edge, batch(1, {"a": B, "b": B}, [entry("a", B)], epoch=2), 1_000, LIMITS)
    assert first.differs
    assert held(first.edge) == {"a": B, "b": A, "gone": A}
    last = fold(first.edge, batch(2, {"a": B, "b": B}, [entry("b", B)], epoch=2), 1_000, LIMITS)
    assert not last.differs
    assert held(last.edge) == {"a": B, "b": B}


def test_an_answer_to_a_request_for_everything_drops_what_the_edge_does_not_have() -> None:
    edge = fold_all(batch(1, {"a": A, "zombie": A}, [entry("a", A), entry("zombie", A)])).edge
    lost = fold(edge, batch(3, {"a": A}), 1_000, LIMITS)
    assert lost.differs
    answered = fold(begin_gathering(lost.edge), batch(4, {"a": A}, [entry("a", A)]), 1_000, LIMITS)
    assert answered.removed == ("zombie",)
    assert not answered.differs


def test_what_was_gathered_before_an_edge_began_anew_is_not_taken_for_its_set() -> None:
    edge = fold_all(batch(1, UNTOLD, [entry("zombie", A)])).edge
    folded = fold(edge, batch(1, {"a": B}, [entry("a", B)], epoch=2), 1_000, LIMITS)
    assert (folded.removed, folded.differs) == (("zombie",), False)


def test_an_edge_without_applications_says_so() -> None:
    edge = fold_all(batch(1, {"a": A}, [entry("a", A)])).edge
    assert fold(edge, batch(1, {}, epoch=2), 1_000, LIMITS).removed == ("a",)


def test_a_late_batch_of_an_epoch_that_was_replaced_is_not_believed_for_a_while() -> None:
    old = batch(5, {"a": A}, [entry("a", A)])
    edge = fold_all(old, batch(1, {"a": B}, [entry("a", B)], epoch=2)).edge
    late = batch(6, {"a": A}, [entry("a", A)])
    assert fold(edge, late, 2_000, LIMITS).is_old
    much_later = fold(edge, late, 2_000 + RETIRED_FOR_MS, LIMITS)
    assert much_later.is_restart
    assert held(much_later.edge) == {"a": A}


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        ("text", "malformed entry"),
        (["till"], "malformed entry"),
        (["../till", bytes(8), None, b"x"], "malformed entry"),
        (["a.b", bytes(8), None, b"x"], "malformed entry"),
        (["*", b"", None, None], "malformed entry"),
        (["till", bytes(9), None, b"x"], "malformed entry"),
        (["till", bytes(8), None, b"no frame"], "document does not decode"),
        (["till", bytes(8), None, entry("till", B)[3]], "document does not decode"),
        (entry("till", "text"), "not a status document"),
        (entry("till", {"sync": {"status": "Synced"}}), "not a status document"),
        (entry("till", {**A, "health": {"status": "Splendid"}}), "not a status document"),
        (entry("till", {**A, "operationState": []}), "not a status document"),
        (entry("till", {**A, "padding": "x" * (2 << 20)}), "document too large"),
    ],
)
def test_a_faulty_entry_is_counted_and_neither_the_last_good_document_nor_the_others_suffer(
    bad: Any, kind: str
) -> None:
    edge = fold_all(batch(1, {"till": A, "menu": A}, [entry("till", A), entry("menu", A)])).edge
    folded = fold(edge, batch(2, UNTOLD, [bad, entry("menu", B, A)]), 1_000, LIMITS)
    assert folded.rejected == {kind: 1}
    assert told(folded) == {"menu": B}


def test_a_document_that_can_never_be_accepted_is_not_asked_for_again() -> None:
    bad = {**A, "health": {"status": "Splendid"}}
    edge = fold_all(batch(1, {"till": A}, [entry("till", A)])).edge
    for sent in (entry("till", bad, A), entry("till", bad)):
        folded = fold(edge, batch(2, {"till": bad}, [sent]), 1_000, LIMITS)
        assert (folded.edge.lacking, folded.differs) == (frozenset(), False)
        assert (told(folded), folded.refused) == ({}, (("till", "not a status document"),))
        # The next one may be a patch against it, as against any document that was acknowledged.
        for good in (entry("till", B, bad), entry("till", B)):
            assert told(fold(folded.edge, batch(3, {"till": B}, [good]), 1_000, LIMITS)) == {"till": B}


def test_a_document_damaged_on_its_way_is_asked_for_again() -> None:
    damaged = entry("till", A)
    damaged[3] = damaged[3][:-4] + b"zzzz"
    folded = fold_all(batch(1, {"till": A}, [damaged]))
    assert folded.edge.lacking == {"till"}


def test_one_cluster_cannot_make_the_hub_hold_more_than_its_share() -> None:
    limits = replace(LIMITS, cluster_max_bytes=3 * len(codec.canonical(A)))
    documents = {f"app{n}": A for n in range(5)}
    folded = fold_all(batch(1, documents, [entry(app, A) for app in documents]), limits=limits)
    assert len(held(folded.edge)) == 3
    assert folded.edge.size_bytes <= limits.cluster_max_bytes
    assert folded.rejected == {"document too large": 2}
    after = fold(folded.edge, batch(2, UNTOLD, [gone("app0"), entry("app9", A)]), 1_000, limits)
    assert set(held(after.edge)) == {"app1", "app2", "app9"}


def test_one_cluster_cannot_name_applications_without_end() -> None:
    limits = replace(LIMITS, apps_max=2)
    documents = {f"app{n}": A for n in range(3)}
    folded = fold_all(batch(1, documents, [entry(app, A) for app in documents]), limits=limits)
    assert folded.rejected == {"too many applications": 1}
    assert set(folded.edge.apps) == {"app0", "app1"}


def test_small_frames_that_unpack_to_much_are_stopped_and_the_rest_is_asked_for_again() -> None:
    large = {**A, "padding": "x" * 100_000}
    limits = replace(LIMITS, batch_max_bytes=250_000)
    documents = {f"app{n}": large for n in range(5)}
    folded = fold_all(batch(1, documents, [entry(app, large) for app in documents]), limits=limits)
    assert len(held(folded.edge)) == 3
    assert folded.edge.lacking == {"app3", "app4"}
    assert not folded.differs


def test_an_application_removed_and_made_again_in_one_batch_is_there() -> None:
    edge = fold_all(batch(1, {"till": A}, [entry("till", A)])).edge
    folded = fold(edge, batch(2, {"till": B}, [gone("till"), entry("till", B)]), 1_000, LIMITS)
    assert held(folded.edge) == {"till": B}
    assert (folded.removed, [c.app for c in folded.changes]) == (("till",), ["till"])


def test_the_size_held_is_the_size_of_the_documents_held() -> None:
    model = EdgeModel()
    edge = Edge()
    for n in range(12):
        model.put(f"app{n % 5}", status(objects=n, operation=operation("Succeeded")))
        if n % 4 == 3:
            model.remove(f"app{n % 5}")
        edge = fold(edge, model.take(), 1_000, LIMITS).edge
    assert held(edge) == model.documents
    assert edge.size_bytes == sum(len(codec.canonical(d)) for d in model.documents.values())


def test_a_frame_that_unpacks_to_a_zstd_dictionary_is_no_document() -> None:
    data = (0xEC30A437).to_bytes(4, "little") + bytes(200)
    sent = [["till", delta.short(delta.digest(data)), None, delta.compress(data)]]
    assert fold_all(batch(1, {}, sent)).rejected == {"not a status document": 1}


ABOUT = {"agent": {"version": "1.0"}, "conditions": []}


def test_the_clusters_own_document_is_kept_beside_its_applications() -> None:
    folded = fold_all(
        batch(1, {"till": A}, [entry("till", A), entry("$cluster", ABOUT)]),
        batch(
            2, {"till": B}, [entry("till", B, A), entry("$cluster", {**ABOUT, "hold": {"by": "me"}}, ABOUT)]
        ),
    )
    assert held(folded.edge) == {"till": B, "$cluster": {**ABOUT, "hold": {"by": "me"}}}
    assert not folded.differs


def test_the_clusters_own_document_stays_when_a_whole_set_leaves_it_out() -> None:
    known = fold_all(batch(1, {"till": A}, [entry("till", A), entry("$cluster", ABOUT)])).edge
    folded = fold(begin_gathering(known), batch(2, {"menu": B}, [entry("menu", B)]), 2_000, LIMITS)
    assert held(folded.edge) == {"menu": B, "$cluster": ABOUT}
    assert folded.removed == ("till",)


@pytest.mark.parametrize(
    "malformed", [{"agent": "1.0"}, {"conditions": {}}, {"conditions": [{"type": 7}]}, ["agent"]], ids=str
)
def test_a_cluster_document_that_is_none_leaves_the_last_good_one(malformed: Any) -> None:
    known = fold_all(batch(1, {}, [entry("$cluster", ABOUT)])).edge
    folded = fold(known, batch(2, {}, [entry("$cluster", malformed)]), 2_000, LIMITS)
    assert told(folded) == {}
    assert folded.refused == (("$cluster", "not a status document"),)


C = status("Progressing", operation=operation("Running"))


def test_batches_that_are_folded_together_tell_what_stands_at_the_end() -> None:
    edge = fold_all(batch(1, {"till": A, "menu": A}, [entry("till", A), entry("menu", A)])).edge
    later = [
        batch(2, {"till": B, "menu": A}, [entry("till", B, A)]),
        batch(3, {"till": C, "menu": A}, [entry("till", C, B)]),
        batch(4, {"till": C}, [gone("menu")]),
    ]
    folded = fold_together(edge, later, 1_000, LIMITS)
    assert told(folded) == {"till": C}
    assert (folded.changes[0].before, folded.removed) == (edge.apps["till"], ("menu",))
    assert (folded.documents, folded.entries, folded.old, folded.edge.seq) == (2, 3, 0, 4)
    assert not folded.differs
    again = fold_together(folded.edge, [*later, batch(5, {"till": C})], 1_000, LIMITS)
    assert (again.old, again.changes, again.edge.seq) == (3, (), 5)


def test_of_documents_that_lead_to_a_damaged_one_the_last_good_one_stands() -> None:
    edge = fold_all(batch(1, {"till": A}, [entry("till", A)])).edge
    damaged = entry("till", C, B)
    damaged[3] = damaged[3][:-4] + b"zzzz"
    folded = fold_together(
        edge,
        [
            batch(2, {"till": B}, [entry("till", B, A)]),
            batch(3, {"till": C}, [damaged]),
            batch(4, {"till": A}, [entry("till", A, C)]),
        ],
        1_000,
        LIMITS,
    )
    assert told(folded) == {"till": B}
    assert folded.edge.lacking == {"till"}
    assert folded.rejected == {"document does not decode": 1}


def test_a_whole_document_is_no_matter_of_what_came_before_it() -> None:
    damaged = entry("till", B)
    damaged[3] = damaged[3][:-4] + b"zzzz"
    folded = fold_together(
        Edge(), [batch(1, {"till": B}, [damaged]), batch(2, {"till": C}, [entry("till", C)])], 1_000, LIMITS
    )
    assert told(folded) == {"till": C}
    assert not folded.edge.lacking
    assert not folded.rejected
