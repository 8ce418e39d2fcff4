import asyncio

from outrider.bus.jetstream import Stored
from status_aggregator.arrival import Arrived
from status_aggregator.backlog import BYTES_MAX, TOGETHER_MAX, Backlog, by_cluster

NOW = Arrived(1_000)


def message(seq: int, cluster: str = "shop1", size_bytes: int = 10) -> Stored:
    return Stored(f"fleet.{cluster}.status", seq, bytes(size_bytes), {})


async def test_what_waits_is_taken_in_order_one_or_all() -> None:
    backlog = Backlog()
    await backlog.put([message(1), message(2), message(3)], NOW)
    await backlog.some()
    assert backlog.first().stored.seq == 1
    assert [one.stored.seq for one in backlog.all()] == [2, 3]
    assert not backlog


async def test_reading_waits_while_too_much_does() -> None:
    backlog = Backlog()
    await backlog.put([message(1, size_bytes=BYTES_MAX)], NOW)
    reading = asyncio.create_task(backlog.put([message(2)], NOW))
    done, _ = await asyncio.wait([reading], timeout=0.05)
    assert not done
    assert backlog.first().stored.seq == 1
    await reading
    assert [one.stored.seq for one in backlog.all()] == [2]


def test_of_a_cluster_no_more_is_folded_in_one_go_than_leaves_others_a_turn() -> None:
    messages = [message(2 * n, "shop1") for n in range(TOGETHER_MAX + 1)] + [message(1, "shop2")]
    backlog = Backlog()
    asyncio.run(backlog.put(messages, NOW))
    found = [(cluster, [one.stored.seq for one in some]) for cluster, some in by_cluster(backlog.all())]
    assert found == [
        ("shop1", [2 * n for n in range(TOGETHER_MAX)]), ("shop1", [2 * TOGETHER_MAX]), ("shop2", [1]),
    ]  # fmt: skip
