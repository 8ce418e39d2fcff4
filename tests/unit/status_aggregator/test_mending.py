import random
from itertools import pairwise

from outrider.backoff import Backoff
from outrider.names import ClusterName
from status_aggregator.mending import APPS_MAX, MendingSettings, Wants

SHOP = ClusterName("shop1")
SETTINGS = MendingSettings(ask_after_s=0.2, ask_all_after_s=1.0, repeat=Backoff(first_s=5.0, cap_s=100.0))
NONE: frozenset[str] = frozenset()


def wants() -> Wants:
    return Wants(SETTINGS, random.Random(1))


def asked(found: Wants, now_s: float, *, online: bool = True) -> list[list[str] | None]:
    due = found.due(now_s, lambda _cluster: online)
    return [None if want.apps is None else sorted(want.apps) for _, want in due]


def test_a_set_that_still_differs_after_a_moment_is_asked_for() -> None:
    found = wants()
    found.judge(SHOP, differs=True, lacking=NONE, now_s=0)
    assert asked(found, 0.9) == []
    assert asked(found, 1.0) == [None]
    found.judge(SHOP, differs=False, lacking=NONE, now_s=2)
    assert asked(found, 1_000) == []


def test_a_set_that_comes_in_several_batches_is_not_asked_for() -> None:
    found = wants()
    found.judge(SHOP, differs=True, lacking=NONE, now_s=0)
    found.judge(SHOP, differs=True, lacking=NONE, now_s=0.5)
    found.judge(SHOP, differs=False, lacking=NONE, now_s=0.8)
    assert asked(found, 10) == []


def test_single_documents_are_asked_for_by_name_and_sooner() -> None:
    found = wants()
    found.judge(SHOP, differs=False, lacking=frozenset({"till"}), now_s=0)
    found.judge(SHOP, differs=False, lacking=frozenset({"till", "menu"}), now_s=0.1)
    assert asked(found, 0.2) == [["menu", "till"]]
    found.judge(SHOP, differs=False, lacking=frozenset({"menu"}), now_s=0.3)
    assert asked(found, 1.0) == []
    assert asked(found, 20) == [["menu"]]


def test_what_is_asked_for_in_vain_is_asked_for_less_and_less_often() -> None:
    found = wants()
    found.judge(SHOP, differs=True, lacking=NONE, now_s=0)
    times = [at_s for at_s in range(2_000) if asked(found, at_s)]
    assert times[0] == 1
    assert 10 < len(times) < 100
    assert all(later - earlier >= SETTINGS.repeat.first_s / 2 for earlier, later in pairwise(times))


def test_a_cluster_that_is_away_is_asked_once_it_is_back() -> None:
    found = wants()
    found.judge(SHOP, differs=True, lacking=NONE, now_s=0)
    assert asked(found, 50, online=False) == []
    assert found.next_due_s(lambda _cluster: False) is None
    found.connected(SHOP, 60)
    assert asked(found, 60.5) == []
    assert asked(found, 61) == [None]


def test_a_return_starts_the_delays_again() -> None:
    found = wants()
    found.judge(SHOP, differs=True, lacking=NONE, now_s=0)
    for at_s in range(500):
        asked(found, at_s)
    found.connected(SHOP, 500)
    assert asked(found, 501) == [None]
    assert asked(found, 507) == [None]


def test_too_many_names_for_one_command_are_asked_for_as_everything() -> None:
    found = wants()
    found.judge(SHOP, differs=False, lacking=frozenset(f"a{n}" for n in range(APPS_MAX + 1)), now_s=0)
    assert asked(found, 1) == [None]


def test_a_cluster_that_is_no_longer_registered_is_not_asked() -> None:
    found = wants()
    found.judge(SHOP, differs=True, lacking=NONE, now_s=0)
    found.forget(SHOP)
    assert asked(found, 10) == []
    assert len(found) == 0
