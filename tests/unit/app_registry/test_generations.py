from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app_registry.generations import NOTHING, Generations
from outrider.codec import MalformedMessage
from outrider.generations import Holding, holdings_digest
from outrider.identity.signatures import generate_seed, seal
from outrider.messages import Desired, Generation
from outrider.names import AppName, ClusterName

SHOP, SHOP2 = ClusterName("shop1"), ClusterName("shop2")
TILL, MENU, BAR = AppName("till"), AppName("menu"), AppName("bar")
SEED = generate_seed()


def desired(generation: Generation, *, live: bool = True, revision: str = "main") -> Desired:
    spec: dict[str, Any] = {} if live else {"status": 3}
    return Desired(b"u" * 16, *generation, spec, revision, b"d" * 32 if live else None)


def sealed(app: AppName, generation: Generation, *, live: bool = True, cluster: ClusterName = SHOP) -> bytes:
    return seal(SEED, cluster, app, desired(generation, live=live).pack())


def edges_digest(held: dict[AppName, Desired]) -> bytes:
    return holdings_digest({app: Holding.of(record) for app, record in held.items()})


class Stream:
    """A stream, as a publisher leaves it."""

    def __init__(self) -> None:
        self.index = Generations()
        self.seq = 0

    def publish(self, app: AppName, *, live: bool = True, cluster: ClusterName = SHOP) -> Generation:
        generation = self.index.allocate(cluster)
        self.seq += 1
        self.index.stored(cluster, app, self.seq, sealed(app, generation, live=live, cluster=cluster))
        self.index.settled(cluster, generation)
        return generation


def test_the_records_of_a_cluster_are_numbered_without_holes() -> None:
    stream = Stream()
    assert [stream.publish(app) for app in (TILL, MENU, TILL)] == [(1, 1), (1, 2), (1, 3)]
    assert stream.publish(TILL, cluster=SHOP2) == (1, 1)
    assert stream.index.newest(SHOP) == (1, 3)
    assert [app for app, _ in stream.index.after(SHOP, NOTHING)] == [MENU, TILL]
    assert [app for app, _ in stream.index.after(SHOP, Generation(1, 2))] == [TILL]


def test_an_index_read_from_the_stream_is_the_one_that_was_written() -> None:
    stream = Stream()
    stream.publish(TILL)
    stream.publish(MENU)
    again = Generations()
    assert again.stored(SHOP, TILL, 1, sealed(TILL, Generation(1, 1)))
    assert again.stored(SHOP, MENU, 2, sealed(MENU, Generation(1, 2)))
    assert not again.stored(SHOP, MENU, 2, sealed(MENU, Generation(1, 2)))
    assert again.of_cluster(SHOP) == stream.index.of_cluster(SHOP)
    assert again.digest(SHOP) == stream.index.digest(SHOP)
    assert again.allocate(SHOP) == (1, 3)


def test_a_number_counts_as_given_out_while_its_record_is_on_its_way_but_not_as_stored() -> None:
    stream = Stream()
    stream.publish(TILL)
    lost, later = stream.index.allocate(SHOP), stream.index.allocate(SHOP)
    stream.index.stored(SHOP, MENU, 9, sealed(MENU, later))
    assert stream.index.allocated(SHOP) == later == (1, 3)
    assert stream.index.newest(SHOP) == (1, 1)
    assert not stream.index.is_quiet(SHOP)
    stream.index.settled(SHOP, lost)
    stream.index.settled(SHOP, later)
    assert stream.index.newest(SHOP) == (1, 3)
    assert stream.index.allocate(SHOP) == (1, 4)


def test_the_digest_is_the_one_that_an_edge_computes() -> None:
    stream = Stream()
    held = {TILL: desired(stream.publish(TILL)), MENU: desired(stream.publish(MENU))}
    assert stream.index.digest(SHOP) == edges_digest(held)
    held[MENU] = desired(stream.publish(MENU, live=False), live=False)
    assert stream.index.digest(SHOP) == edges_digest(held)
    assert stream.index.digest_without_tombstones(SHOP) == edges_digest({TILL: held[TILL]})
    stream.index.carried_out(SHOP, MENU)
    assert stream.index.digest(SHOP) == edges_digest({TILL: held[TILL]})
    assert stream.index.digest(SHOP2) == edges_digest({})


def test_the_digest_tells_two_records_of_one_number_apart() -> None:
    stream = Stream()
    generation = stream.publish(TILL)
    assert stream.index.digest(SHOP) == edges_digest({TILL: desired(generation)})
    assert stream.index.digest(SHOP) != edges_digest({TILL: desired(generation, revision="another")})


def test_an_edge_that_has_carried_out_some_tombstones_is_told_from_one_that_holds_something_else() -> None:
    stream = Stream()
    held = {app: desired(stream.publish(app)) for app in (TILL, MENU, BAR)}
    for app in (TILL, MENU):
        held[app] = desired(stream.publish(app, live=False), live=False)
    done = {app: record for app, record in held.items() if app != TILL}
    assert stream.index.is_on_its_way(SHOP, edges_digest(done))
    assert not stream.index.is_on_its_way(SHOP, edges_digest({**done, TILL: desired(Generation(1, 4))}))
    assert not stream.index.is_on_its_way(SHOP2, edges_digest(done))


def test_the_newest_record_of_a_cluster_is_never_dropped() -> None:
    stream = Stream()
    stream.publish(TILL)
    stream.publish(TILL, live=False)
    assert stream.index.tombstones(SHOP) == [TILL]
    stream.index.carried_out(SHOP, TILL)
    assert stream.index.tombstones(SHOP) == []
    assert stream.index.purgeable(SHOP) == []
    assert stream.index.places(TILL) == (SHOP,)
    stream.publish(MENU)
    ((app, one),) = stream.index.purgeable(SHOP)
    assert (app, one.status_revision) == (TILL, 3)
    stream.index.purged(SHOP, TILL, one.seq)
    assert stream.index.places(TILL) == ()
    assert stream.index.purgeable(SHOP) == []


def test_dropping_an_old_record_leaves_the_one_that_came_after_it() -> None:
    stream = Stream()
    stream.publish(TILL, live=False)
    stream.index.carried_out(SHOP, TILL)
    stream.publish(TILL)
    stream.index.purged(SHOP, TILL, 1)
    assert not stream.index.is_done(SHOP, TILL)
    assert stream.index.get(SHOP, TILL) is not None


def test_a_raised_epoch_goes_above_everything_and_names_what_is_to_be_signed_again() -> None:
    stream = Stream()
    stream.publish(TILL)
    stream.index.raise_epoch(SHOP, 5)
    assert stream.index.newest(SHOP) == (5, 0)
    assert stream.index.outdated(SHOP) == [TILL]
    assert stream.publish(TILL) == (5, 1)
    assert stream.index.outdated(SHOP) == []
    stream.index.raise_epoch(SHOP, 3)
    assert stream.publish(MENU) == (5, 2)


def test_a_record_of_a_replica_that_had_lost_its_lease_counts_as_none() -> None:
    stream = Stream()
    stream.publish(TILL)
    stream.publish(TILL)
    assert stream.index.stored(SHOP, TILL, 9, sealed(TILL, Generation(1, 2)))
    published = stream.index.get(SHOP, TILL)
    assert published is not None
    assert published.last.uid == b""


def test_bytes_that_are_no_record_are_refused() -> None:
    with pytest.raises(MalformedMessage):
        Generations().stored(SHOP, TILL, 1, b"x" * 100)


def test_a_forgotten_cluster_leaves_nothing() -> None:
    stream = Stream()
    stream.publish(TILL)
    generation = stream.index.allocate(SHOP)
    assert stream.index.forget(SHOP) == [TILL]
    stream.index.settled(SHOP, generation)
    assert stream.index.clusters() == []
    assert stream.index.places(TILL) == ()
    assert stream.index.newest(SHOP) == NOTHING


class NumbersOnlyGrow(RuleBasedStateMachine):
    """Whatever happens, restarts included, no number is given out twice and an edge that keeps up is in step."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = Stream()
        self.kept: dict[AppName, tuple[int, Generation, bool]] = {}
        self.given = NOTHING
        self.edge: dict[AppName, Desired] = {}

    @rule(app=st.sampled_from([TILL, MENU, BAR]), live=st.booleans())
    def publish(self, app: AppName, live: bool) -> None:
        generation = self.stream.publish(app, live=live)
        assert generation > self.given
        self.given = generation
        self.kept[app] = (self.stream.seq, generation, live)
        self.edge[app] = desired(generation, live=live)

    @rule()
    def carry_out_and_purge(self) -> None:
        for app in self.stream.index.tombstones(SHOP):
            self.stream.index.carried_out(SHOP, app)
            del self.edge[app]
        for app, one in self.stream.index.purgeable(SHOP):
            self.stream.index.purged(SHOP, app, one.seq)
            del self.kept[app]

    @rule(epoch=st.integers(1, 5))
    def raise_epoch(self, epoch: int) -> None:
        self.stream.index.raise_epoch(SHOP, epoch)
        for app in self.stream.index.outdated(SHOP):
            held = app in self.edge
            self.publish(app, self.kept[app][2])
            if not held:
                self.stream.index.carried_out(SHOP, app)
                del self.edge[app]

    @precondition(lambda self: self.kept)
    @rule()
    def restart(self) -> None:
        seq, self.stream = self.stream.seq, Stream()
        self.stream.seq = seq
        for app, (at, generation, live) in sorted(self.kept.items(), key=lambda item: item[1][0]):
            self.stream.index.stored(SHOP, app, at, sealed(app, generation, live=live))
            if app not in self.edge:
                self.stream.index.carried_out(SHOP, app)

    @invariant()
    def an_edge_that_keeps_up_is_in_step(self) -> None:
        assert self.stream.index.digest(SHOP) == edges_digest(self.edge)


TestNumbersOnlyGrow = NumbersOnlyGrow.TestCase
TestNumbersOnlyGrow.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
