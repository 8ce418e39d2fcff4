from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.status_aggregator.clocks import SetClock

from outrider.messages import Desired
from outrider.names import ClusterName
from outrider.records import ApplicationRecord, ClusterRecord, EdgeRecord
from status_aggregator import last_word
from status_aggregator.counts import cluster_item, fleet_counts
from status_aggregator.document import HEALTHS, SYNCS, Reported
from status_aggregator.freshness import FreshnessLimits, freshness
from status_aggregator.hub_clock import Moment
from status_aggregator.ordered import OrderedNames
from status_aggregator.rows import Application, Seen, Wanted, row
from status_aggregator.view import View

LIMITS = FreshnessLimits(heartbeat_s=1)
CLUSTERS = [ClusterName(name) for name in ("shop1", "shop2")]
APPS = ["till", "menu", "lights"]


def application(destination: str, name: str = "till") -> Application:
    return Application(name, "shops", destination)


def seen(health: str = "Healthy", revision: str = "r1", **more: Any) -> Seen:
    return Seen(Reported("Synced", health, revision, "", **{"generation": None, **more}), 5, 6)


def wanted(revision: str = "r1", counter: int = 1, *, tombstone: bool = False) -> Wanted:
    return Wanted((1, counter), revision, tombstone)


def there(counter: int = 1) -> Wanted:
    """A record whose edge renders it."""
    return Wanted((1, counter), "", False, at_edge=True)


facts = (
    st.tuples(st.just("application"), st.sampled_from(APPS), st.sampled_from([*CLUSTERS, "https://one", "nowhere", None])),
    st.tuples(st.just("told"), st.sampled_from(APPS), st.sampled_from([*CLUSTERS, ""])),
    st.tuples(st.just("cluster"), st.sampled_from(CLUSTERS), st.sampled_from(["", "https://one", None])),
    st.tuples(st.just("wanted"), st.sampled_from(CLUSTERS), st.sampled_from(APPS), st.booleans()),
)  # fmt: skip
words = (
    st.tuples(st.just("edge"), st.sampled_from(CLUSTERS), st.sampled_from([True, False, None])),
    st.tuples(
        st.just("seen"), st.sampled_from(CLUSTERS), st.sampled_from(APPS),
        st.sampled_from([None, "Healthy", "Degraded"]),
    ),
    st.tuples(st.just("connected"), st.sampled_from(CLUSTERS), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([1, 900, 2_100])),
    st.tuples(st.just("clock"), st.sampled_from([-3_600_000, -5_000, -100])),
)  # fmt: skip


class Watched:
    """A view, the same facts kept plainly, and a clock that is set."""

    def __init__(self) -> None:
        self.view = View(LIMITS)
        self.clock = SetClock()
        self.heard_ms: dict[str, int] = {}
        self.connected_ms: dict[str, int] = {}
        self.online: dict[str, bool] = {}
        self.seq = 0

    def take(self, change: tuple[Any, ...]) -> None:
        match change:
            case "application", app, destination:
                self.view.put_application(
                    app, application(destination, app) if destination is not None else None
                )
            case "told", app, cluster:
                self.view.put_conditions(app, (), cluster)
            case "cluster", cluster, server:
                record = None if server is None else ClusterRecord(cluster, "U", 0, server=server)
                self.view.put_cluster(cluster, record)
            case "edge", cluster, online:
                self._speaks(cluster, online)
            case "connected", cluster, connected:
                self.view.put_connected(cluster, self.clock.now(), is_connected=connected)
            case "seen", cluster, app, health:
                self.view.put_seen(cluster, app, None if health is None else seen(health))
            case "wanted", cluster, app, tombstone:
                self.view.put_wanted(cluster, app, wanted(tombstone=tombstone))
            case "wait", ms:
                self.clock.passes(ms)
            case "clock", ms:
                self.clock.is_set(ms)

    def _speaks(self, cluster: ClusterName, online: bool | None) -> None:
        now = self.clock.now()
        self.seq += 1
        edge = EdgeRecord(bool(online), now.unix_ms, heard_at_ms=now.unix_ms, seq=self.seq)
        self.view.put_edge(cluster, None if online is None else edge, now)
        self.heard_ms[cluster] = self.clock.passed_ms
        if self.online.get(cluster) is not True and online:
            self.connected_ms[cluster] = self.clock.passed_ms
        self.online[cluster] = bool(online)

    def counted_anew(self) -> Counter[tuple[str, str, str]]:
        found: Counter[tuple[str, str, str]] = Counter()
        for name in APPS:
            if self.view.application(name) is None:
                continue
            cluster, shown = self.view.cluster_of(name), self.view.row(name)
            is_heard = cluster.edge is not None and name in cluster.seen
            age_ms = self.clock.passed_ms - self.heard_ms.get(cluster.name, 0)
            connected_for_ms = self.clock.passed_ms - self.connected_ms.get(cluster.name, 0)
            fresh = freshness(
                cluster.presence, age_ms, LIMITS, connected_for_ms=connected_for_ms, is_heard=is_heard
            )
            found[fresh, shown.sync, shown.health] += 1
        return found


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(*facts, *words), max_size=40))
def test_counts_kept_as_facts_change_are_those_that_counting_anew_gives(
    happened: list[tuple[Any, ...]],
) -> None:
    watched = Watched()
    for change in happened:
        watched.take(change)
        watched.view.tally.advance(watched.clock.now().passed_ms)
        kept: Counter[tuple[str, str, str]] = Counter()
        for (fresh, shown), number in watched.view.tally.totals.items():
            kept[fresh, shown.sync, shown.health] += number
        assert kept == watched.counted_anew()
    view = watched.view
    clusters = list(view.clusters_after(""))
    assert sum(view.presences.values()) == len(clusters) == len(view.cluster_names)
    assert Counter(c.presence for c in clusters) == +view.presences
    for cluster in clusters:
        assert all(view.cluster_of(name) is cluster for name in cluster.names.after(""))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(*facts), max_size=10), st.randoms())
def test_in_which_order_facts_become_known_makes_no_difference(
    happened: list[tuple[Any, ...]], rng: Any
) -> None:
    newest = list({change[:-1]: change for change in happened}.values())
    answers = []
    for _ in range(2):
        watched = Watched()
        for change in newest:
            watched.take(change)
        answers.append(
            {
                app: (watched.view.cluster_of(app).name, watched.view.row(app))
                for app in APPS
                if watched.view.application(app)
            }
        )
        rng.shuffle(newest)
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("record", "heard", "sync", "delivered", "message"),
    [
        (wanted(), seen(), "Synced", True, ""),
        (wanted("r2"), seen(), "OutOfSync", False, "revision r2 has not reached the cluster yet; it is at r1"),
        (wanted(), seen(generation=(1, 1)), "Synced", True, ""),
        (
            wanted(counter=2), seen(generation=(1, 1)), "OutOfSync", False,
            "a newer state of revision r1 has not reached the cluster yet",
        ),
        (there(), seen(revision="r7", generation=(1, 1)), "Synced", True, ""),
        (there(), seen(revision="r7", generation=(1, 2)), "Synced", True, ""),
        (
            there(2), seen(revision="r7", generation=(1, 1)), "OutOfSync", False,
            "its newest state has not reached the cluster, which renders it; it is at r7",
        ),
        (
            there(), seen(), "OutOfSync", False,
            "its newest state has not reached the cluster, which renders it; it is at r1",
        ),
        (wanted(tombstone=True), seen(), "OutOfSync", False, "to be removed; the cluster has not confirmed it yet"),
        (None, seen(), "OutOfSync", False, "the hub has no desired state of it yet"),
        (None, None, "Unknown", False, "waiting for its first rendering"),
        (wanted(), None, "Unknown", False, "waiting for the cluster's first word of it"),
    ],
)  # fmt: skip
def test_what_is_shown_tells_whether_the_newest_state_has_reached_its_edge(
    record: Wanted | None, heard: Seen | None, sync: str, delivered: bool, message: str
) -> None:
    shown = row(application("shop1"), CLUSTERS[0], record, heard)
    assert (shown.sync, shown.delivered, shown.message) == (sync, delivered, message)


def test_an_application_that_its_edge_renders_is_to_be_at_what_the_edge_found() -> None:
    def desired(record: Wanted, heard: Seen | None) -> str:
        return row(application("shop1"), CLUSTERS[0], record, heard).desired_revision

    assert desired(there(), seen(revision="r7", generation=(1, 1))) == "r7"
    assert desired(there(2), seen(revision="r7", generation=(1, 1))) == ""
    assert desired(there(), None) == ""
    assert desired(wanted("r2"), seen()) == "r2"
    assert desired(wanted("r2"), None) == "r2"
    assert desired(wanted("r2", tombstone=True), seen()) == ""


def test_what_the_hub_has_to_say_comes_before_what_the_edge_says() -> None:
    view = View(LIMITS)
    view.put_conditions("till", (("ComparisonError", "app.yaml:3: no"),), "shop2")
    view.put_application("till", application("shop1"))
    for cluster in CLUSTERS:
        view.put_cluster(cluster, ClusterRecord(cluster, "U", 0))
    view.put_seen(CLUSTERS[1], "till", seen())
    assert view.cluster_of("till").name == "shop2"
    assert view.row("till").message == "app.yaml:3: no"


def word(*, online: bool = True, seq: int = 1, at_ms: int = 0, **more: Any) -> EdgeRecord:
    return EdgeRecord(online, 0, heard_at_ms=at_ms, seq=seq, **more)


def healthy(clock: SetClock) -> View:
    """A view of one cluster that has just said that its application is healthy."""
    view = View(LIMITS)
    view.put_cluster(CLUSTERS[0], ClusterRecord("shop1", "U", 0))
    view.put_application("till", application("shop1"))
    view.put_wanted(CLUSTERS[0], "till", wanted())
    view.put_seen(CLUSTERS[0], "till", seen())
    view.put_edge(CLUSTERS[0], word(at_ms=clock.unix_ms), clock.now())
    return view


def look(view: View, clock: SetClock) -> dict[str, Any]:
    passed_ms = clock.now().passed_ms
    view.tally.advance(passed_ms)
    cluster = view.cluster("shop1")
    assert cluster is not None
    assert last_word.of_application(view, "till", passed_ms)["freshness"] == cluster.freshness
    return cluster_item(cluster, passed_ms)


def test_no_cluster_counts_as_healthy_what_is_not_fresh() -> None:
    clock = SetClock()
    view = healthy(clock)
    assert look(view, clock)["healthy"] == 1
    clock.passes(LIMITS.word_holds_ms + 1)
    item = look(view, clock)
    assert (item["healthy"], item["unknown"], item["freshness"], item["age_s"]) == (0, 1, "stale", 2)
    assert item["last_known"]["health"]["Healthy"] == 1
    assert set(item["health"]) == set(HEALTHS)
    assert set(item["sync"]) == set(SYNCS)
    assert fleet_counts(view)["cluster_freshness"] == {"fresh": 0, "stale": 1, "offline": 0, "unknown": 0}


def test_of_a_cluster_that_is_away_everything_is_the_last_that_was_known() -> None:
    clock = SetClock()
    view = healthy(clock)
    view.put_edge(CLUSTERS[0], word(online=False, at_ms=clock.unix_ms), clock.now())
    clock.passes(1_000)
    item = look(view, clock)
    assert (item["healthy"], item["freshness"], item["presence"], item["age_s"]) == (
        0,
        "offline",
        "offline",
        1,
    )
    assert fleet_counts(view)["freshness"] == {"fresh": 0, "stale": 0, "offline": 1, "unknown": 0}


def test_a_record_that_says_a_cluster_is_there_counts_no_more_than_the_servers_word() -> None:
    clock = SetClock()
    view = healthy(clock)
    view.put_connected(CLUSTERS[0], clock.now(), is_connected=False)
    assert look(view, clock)["freshness"] == "offline"
    view.put_connected(CLUSTERS[0], clock.now(), is_connected=True)
    assert look(view, clock)["freshness"] == "fresh"


@pytest.mark.parametrize("set_by_ms", [-3_600_000, -(10**11)])
def test_a_hubs_clock_that_is_set_back_makes_no_word_look_younger(set_by_ms: int) -> None:
    clock = SetClock()
    view = healthy(clock)
    clock.passes(1_500)
    clock.is_set(set_by_ms)
    assert look(view, clock)["age_s"] == 1
    clock.passes(501)
    assert look(view, clock)["freshness"] == "stale"
    view.put_edge(CLUSTERS[0], word(seq=2, at_ms=clock.unix_ms), clock.now())
    assert look(view, clock)["freshness"] == "fresh"
    clock.passes(LIMITS.word_holds_ms + 1)
    assert look(view, clock)["freshness"] == "stale"


def test_what_was_said_before_an_outage_is_not_taken_for_what_is_when_the_cluster_is_back() -> None:
    limits, clock = FreshnessLimits(heartbeat_s=1800), SetClock()
    for set_by_ms in (0, -3_600_000):
        view = View(limits)
        view.put_cluster(CLUSTERS[0], ClusterRecord("shop1", "U", 0))
        heard_at_ms = clock.unix_ms
        said = word(at_ms=heard_at_ms)
        view.put_edge(CLUSTERS[0], said, clock.now())
        view.put_edge(CLUSTERS[0], replace(said, online=False, turn=1), clock.now())
        clock.passes(37 * 60_000)
        clock.is_set(set_by_ms)
        back = replace(said, online=True, since_ms=heard_at_ms + 37 * 60_000, turn=2)
        view.put_edge(CLUSTERS[0], back, clock.now())
        assert freshness_of(view) == "stale"
        restarted = View(limits)
        restarted.put_edge(CLUSTERS[0], back, Moment(back.since_ms, 0), is_live=False)
        restarted.put_cluster(CLUSTERS[0], ClusterRecord("shop1", "U", 0))
        assert freshness_of(restarted) == "stale"
        view.put_edge(CLUSTERS[0], replace(back, seq=2, heard_at_ms=clock.unix_ms), clock.now())
        assert freshness_of(view) == "fresh"


def freshness_of(view: View) -> str:
    cluster = view.cluster("shop1")
    assert cluster is not None
    return cluster.freshness


def test_a_change_of_presence_alone_is_no_new_word() -> None:
    clock = SetClock()
    view = healthy(clock)
    at_ms = clock.unix_ms
    for _ in range(4):
        clock.passes(600)
        for online in (False, True):
            view.put_edge(CLUSTERS[0], word(online=online, at_ms=at_ms), clock.now())
    assert look(view, clock)["freshness"] == "stale"


@pytest.mark.parametrize(
    ("ahead_ms", "late_ms", "fresh", "age_s"),
    [
        (-1_000, 0, "fresh", 1),
        (-60_000, 0, "stale", 60),
        (30_000, 0, "fresh", 0),
        (3_600_000, 0, "stale", None),
        (0, 5_000, "stale", 5),
        (0, -1, "stale", None),
    ],
    ids=["a second ago", "long ago", "a clock beside", "before it was set back", "it had waited", "nobody knows"],
)  # fmt: skip
def test_a_word_that_is_read_after_a_restart_is_as_old_as_it_may_be(
    ahead_ms: int, late_ms: int, fresh: str, age_s: int | None
) -> None:
    clock = SetClock()
    view = healthy(clock)
    found = word(seq=2, at_ms=clock.unix_ms + ahead_ms, heard_late_ms=late_ms)
    view.put_edge(CLUSTERS[0], found, clock.now(), is_live=False)
    item = look(view, clock)
    assert (item["freshness"], item["age_s"]) == (fresh, age_s)


@pytest.mark.parametrize("skew_ms", [-3_600_000, 3_600_000])
def test_a_machine_whose_clock_is_wrong_judges_what_it_hears_by_the_time_that_passes(skew_ms: int) -> None:
    clock = SetClock()
    view = healthy(clock)
    view.put_edge(CLUSTERS[0], word(seq=2, at_ms=clock.unix_ms + skew_ms), clock.now())
    assert look(view, clock)["freshness"] == "fresh"
    clock.passes(LIMITS.word_holds_ms + 1)
    assert look(view, clock)["freshness"] == "stale"


def test_a_manifest_says_where_its_application_goes_and_whose_it_is() -> None:
    def of(spec: Any) -> tuple[str, str]:
        made = Application.of(ApplicationRecord("till", b"", {"spec": spec}, 0, 0))
        return made.project, made.destination

    assert of({"project": "shops", "destination": {"name": "shop1"}}) == ("shops", "shop1")
    assert of({"destination": {"server": "https://one"}}) == ("default", "https://one")
    assert of({"destination": {"server": "https://kubernetes.default.svc"}}) == ("default", "in-cluster")
    assert of("no map") == ("default", "")


def test_a_commit_is_shown_as_people_write_it() -> None:
    assert Wanted.of(Desired(b"", 1, 2, {}, bytes(20), b"d")) == ((1, 2), "0" * 40, False, False)
    assert Wanted.of(Desired(b"", 1, 2, {})).is_tombstone
    assert Wanted.of(Desired(b"", 1, 2, {}, digest=b"")).at_edge


@given(st.lists(st.tuples(st.booleans(), st.text("abc", min_size=1, max_size=2))), st.text("abc", max_size=2))
def test_names_are_handed_out_in_order_from_any_place(happened: list[tuple[bool, str]], after: str) -> None:
    names, plain = OrderedNames(), set[str]()
    for is_added, name in happened:
        if is_added and name not in plain:
            names.add(name)
            plain.add(name)
        elif not is_added and name in plain:
            names.remove(name)
            plain.discard(name)
    assert list(names.after(after)) == sorted(name for name in plain if name > after)
    assert len(names) == len(plain)
