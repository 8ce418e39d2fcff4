from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.link.outbox import Outbox
from outrider import codec, delta
from outrider.messages import StatusBatch, StatusEntry
from outrider.names import AppName, token

SHOP, TILL = AppName("shop"), AppName("till")


def document(health: str, revision: str = "a" * 40) -> dict[str, Any]:
    resources = [{"kind": "Deployment", "name": f"d{n}", "health": {"status": "Healthy"}} for n in range(20)]
    return {
        "sync": {"status": "Synced", "revision": revision},
        "health": {"status": health},
        "resources": resources,
    }


class HubSide:
    """Folds batches as a hub does, without forgiveness: a base that does not match is an error."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}

    def fold(self, batch: StatusBatch) -> None:
        for raw in StatusBatch.unpack(batch.pack()).with_entries().entries:
            entry = StatusEntry.parse(raw)
            if entry.frame is None:
                self.documents.pop(entry.app, None)
                continue
            base = self.documents.get(entry.app) if entry.base else None
            if entry.base:
                assert base is not None
                assert delta.short(delta.digest(base)).startswith(entry.base)
            sent = delta.Delta(entry.digest, entry.base, entry.frame)
            self.documents[entry.app] = sent.apply(base, max_bytes=1 << 20)

    def set_digest(self) -> bytes:
        return delta.set_digest(
            {app: delta.short(delta.digest(packed)) for app, packed in self.documents.items()}
        )


def test_a_health_change_in_a_large_document_costs_some_tens_of_bytes() -> None:
    outbox, hub = Outbox(1), HubSide()
    outbox.put(SHOP, document("Healthy"))
    first = outbox.take(0, 1 << 20)
    hub.fold(first.batch)
    outbox.acknowledged(first)
    outbox.put(SHOP, document("Degraded"))
    second = outbox.take(0, 1 << 20)
    hub.fold(second.batch)
    assert len(second.batch.pack()) < 100
    assert hub.documents["shop"] == codec.canonical(document("Degraded"))


def test_changes_that_are_alike_cost_a_hub_that_reads_brief_batches_a_few_bytes_each() -> None:
    outbox, hub = Outbox(1, is_brief=True), HubSide()
    for health in ("Healthy", "Degraded"):
        for n in range(50):
            outbox.put(AppName(f"app{n}"), document(health))
        sending = outbox.take(0, 1 << 20)
        hub.fold(sending.batch)
        outbox.acknowledged(sending)
    assert len(sending.batch.pack()) / 50 < 30
    assert hub.documents["app7"] == codec.canonical(document("Degraded"))
    assert hub.set_digest().startswith(sending.batch.set_digest)


def test_a_change_during_a_flight_is_sent_next() -> None:
    outbox = Outbox(1)
    outbox.put(SHOP, document("Progressing"))
    sending = outbox.take(0, 1 << 20)
    outbox.put(SHOP, document("Healthy"))
    outbox.acknowledged(sending)
    assert outbox.is_dirty


def test_the_same_document_again_is_not_sent() -> None:
    outbox = Outbox(1)
    assert outbox.put(SHOP, document("Healthy"))
    outbox.acknowledged(outbox.take(0, 1 << 20))
    assert not outbox.put(SHOP, document("Healthy"))
    assert not outbox.is_dirty


def test_an_outage_leaves_one_document_for_each_application() -> None:
    outbox = Outbox(1)
    for n in range(100):
        outbox.put(SHOP, document("Healthy", f"{n:040x}"))
    assert len(outbox.take(0, 1 << 20).batch.entries) == 1


def test_a_batch_keeps_to_its_limit_and_the_rest_follows() -> None:
    outbox, hub = Outbox(1), HubSide()
    for n in range(50):
        outbox.put(AppName(f"app{n}"), document("Healthy", f"{n:040x}"))
    batches = 0
    while outbox.is_dirty:
        sending = outbox.take(0, 1000)
        hub.fold(sending.batch)
        outbox.acknowledged(sending)
        batches += 1
        assert bool(sending.batch.set_digest) == (not outbox.is_dirty)
    assert batches > 1
    assert len(hub.documents) == 50
    assert hub.set_digest() == sending.batch.set_digest


def test_health_transitions_go_before_everything_else_and_alone_if_need_be() -> None:
    outbox, hub = Outbox(1), HubSide()
    for n in range(20):
        outbox.put(AppName(f"app{n}"), document("Healthy", f"{n:040x}"))
    first = outbox.take(0, 1 << 20)
    hub.fold(first.batch)
    outbox.acknowledged(first)
    assert not outbox.is_urgent
    for n in range(20):
        outbox.put(AppName(f"app{n}"), document("Degraded" if n == 17 else "Healthy", "b" * 40))
    alone = outbox.take(0, 1 << 20, urgent_only=True)
    assert list(alone.documents) == ["app17"]
    whole = outbox.take(0, 1 << 20)
    assert next(iter(whole.documents)) == "app17"
    assert len(whole.documents) == 20
    outbox.acknowledged(alone)
    assert not outbox.is_urgent
    assert outbox.is_dirty


def test_an_application_that_is_gone_is_said_to_be_gone_until_acknowledged() -> None:
    outbox, hub = Outbox(1), HubSide()
    outbox.put(AppName("shop.a"), document("Healthy"))
    sending = outbox.take(0, 1 << 20)
    hub.fold(sending.batch)
    outbox.acknowledged(sending)
    outbox.remove(AppName("shop.a"))
    outbox.take(0, 1 << 20)
    again = outbox.take(0, 1 << 20)
    hub.fold(again.batch)
    outbox.acknowledged(again)
    assert hub.documents == {}
    assert not outbox.is_dirty


steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "remove", "send", "lose", "resend"]),
        st.sampled_from([SHOP, TILL]),
        st.integers(0, 3),
    ),
    max_size=40,
)


@given(steps)
def test_whatever_is_lost_on_the_way_the_hub_ends_with_the_edges_documents(
    script: list[tuple[str, AppName, int]],
) -> None:
    outbox, hub, edge = Outbox(1), HubSide(), dict[AppName, Any]()
    for action, app, n in script:
        if action == "put":
            edge[app] = document("Healthy", f"{n:040x}")
            outbox.put(app, edge[app])
        elif action == "remove":
            edge.pop(app, None)
            outbox.remove(app)
        elif action == "resend":
            outbox.resend(None)
        else:
            sending = outbox.take(0, 1 << 20)
            if action == "send":
                hub.fold(sending.batch)
                outbox.acknowledged(sending)
    while outbox.is_dirty:
        sending = outbox.take(0, 1 << 20)
        hub.fold(sending.batch)
        outbox.acknowledged(sending)
    assert hub.documents == {token(app): codec.canonical(doc) for app, doc in edge.items()}
    assert hub.set_digest() == outbox.set_digest()
