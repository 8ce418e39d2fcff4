"""Edges that lose, repeat, reorder, restart and truncate, against the fold: in the end the hub has what the edge has."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.unit.status_aggregator.edge_model import EdgeModel, status

from outrider import codec
from outrider.messages import StatusBatch
from status_aggregator import frames
from status_aggregator.edge import Edge, Limits, begin_gathering
from status_aggregator.fold import RETIRED_FOR_MS, fold, fold_together

APPS = ("a", "b", "c", "d_e")
HEALTHS = ("Healthy", "Progressing", "Degraded")
ROUNDS_MAX = 4
# Of asking and answering, over a link that loses nothing any more.


def damaged(sent: StatusBatch) -> StatusBatch:
    """Return a batch whose first document is cut off."""
    entries = [list(entry) for entry in sent.entries]
    if entries and entries[0][3]:
        entries[0][3] = entries[0][3][:-3]
    return replace(sent, entries=entries)


def state_of(edge: Edge) -> Any:
    """Return what is known of an edge, but for what may be gathered more than is needed."""
    apps = {
        app: (
            known.announced,
            known.digest,
            frames.unpack(known.frame) if known.frame else b"",
            known.refused,
        )
        for app, known in edge.apps.items()
    }
    return apps, edge.epoch, edge.seq, edge.lacking, edge.size_bytes, edge.retired


class HubAndEdge(RuleBasedStateMachine):
    """One edge, one hub, and a link with every fault between them."""

    def __init__(self) -> None:
        super().__init__()
        self.model = EdgeModel()
        self.edge = Edge()
        self.now_ms = 0
        self.under_way: list[StatusBatch] = []
        self.everything_said: dict[str, list[Any]] = {app: [] for app in APPS}
        self.counter = 0

    @initialize()
    def begin(self) -> None:
        self.change("a", "Healthy", 1)
        self.send(None)

    @rule(app=st.sampled_from(APPS), health=st.sampled_from(HEALTHS), objects=st.integers(0, 3))
    def change(self, app: str, health: str, objects: int) -> None:
        self.counter += 1
        document = status(health, revision=f"{self.counter:040x}", objects=objects)
        self.model.put(app, document)
        self.everything_said[app].append(document)

    @rule(app=st.sampled_from(APPS))
    def remove(self, app: str) -> None:
        if app in self.model.documents:
            self.model.remove(app)

    @rule(most=st.sampled_from([None, 1, 2]), is_brief=st.booleans())
    def send(self, most: int | None, is_brief: bool = False) -> None:
        batch = self.model.take(most=most)
        self.under_way.append(batch.brief().with_entries() if is_brief else batch)

    @rule()
    def restart(self) -> None:
        self.model.restart()

    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        if self.under_way:
            del self.under_way[data.draw(st.integers(0, len(self.under_way) - 1))]

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Out of order, and now and then leaving it under way, to come once more."""
        if self.under_way:
            place = data.draw(st.integers(0, len(self.under_way) - 1))
            self.take(self.under_way[place])
            if not data.draw(st.booleans()):
                del self.under_way[place]

    @rule(data=st.data())
    def deliver_together(self, data: st.DataObject) -> None:
        """What waits of one epoch, damaged or not, ends as if it had come one by one."""
        epoch = self.under_way[0].epoch if self.under_way else 0
        sent = [batch for batch in self.under_way if batch.epoch == epoch]
        if not sent:
            return
        sent = sent[: data.draw(st.integers(1, len(sent)))]
        self.under_way = [batch for batch in self.under_way if batch not in sent]
        if data.draw(st.booleans()):
            place = data.draw(st.integers(0, len(sent) - 1))
            sent[place] = damaged(sent[place])
        singly = self.edge
        for batch in sent:
            singly = fold(singly, batch, self.now_ms, Limits()).edge
        self.edge = fold_together(self.edge, sent, self.now_ms, Limits()).edge
        assert state_of(self.edge) == state_of(singly)

    @rule(data=st.data())
    def deliver_damaged(self, data: st.DataObject) -> None:
        if self.under_way and self.under_way[0].entries:
            sent = self.under_way.pop(0)
            entries = [list(entry) for entry in sent.entries]
            if entries[0][3]:
                entries[0][3] = entries[0][3][: data.draw(st.integers(0, len(entries[0][3]) - 1))]
            self.take(StatusBatch(sent.epoch, sent.seq, sent.observed_at_ms, sent.set_digest, entries))

    @rule(ms=st.sampled_from([1, 1_000, RETIRED_FOR_MS]))
    def wait(self, ms: int) -> None:
        self.now_ms += ms

    @rule(answered=st.booleans())
    def ask_for_everything(self, answered: bool) -> None:
        self.edge = begin_gathering(self.edge)
        if answered:
            self.model.asked(None)

    def take(self, sent: StatusBatch) -> tuple[bool, frozenset[str]]:
        folded = fold(self.edge, StatusBatch.unpack(sent.pack()), self.now_ms, Limits())
        again = fold(folded.edge, sent, self.now_ms, Limits())
        assert again.is_old
        assert again.edge is folded.edge
        self.edge = folded.edge
        return folded.differs, folded.edge.lacking

    @invariant()
    def nothing_is_held_that_was_never_said(self) -> None:
        for app, document in self.held().items():
            assert document in self.everything_said[app]

    def held(self) -> dict[str, Any]:
        return {
            app: codec.unpack(frames.unpack(known.frame))
            for app, known in self.edge.apps.items()
            if known.frame
        }

    def teardown(self) -> None:
        """The link is good again: what is under way arrives, then the edge says what is new, and answers."""
        for sent in self.under_way:
            self.take(sent)
        self.now_ms += RETIRED_FOR_MS
        for _ in range(ROUNDS_MAX):
            differs, lacking = self.take(self.model.take())
            if differs:
                self.edge = begin_gathering(self.edge)
                self.model.asked(None)
            elif lacking:
                self.model.asked(sorted(lacking))
            else:
                assert self.held() == self.model.documents
                assert set(self.edge.apps) == set(self.model.documents)
                return
        pytest.fail("the hub still asks")


TestHubAndEdge = HubAndEdge.TestCase
TestHubAndEdge.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
