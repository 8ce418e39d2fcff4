import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.names import ClusterName
from status_aggregator.connections import (
    ConnectionId,
    Connections,
    Identity,
    Listed,
    UnusableEvent,
    identity_of,
)

SHOP = ClusterName("shop1")
ME, STRANGER = Identity(SHOP, "UKEY"), Identity(SHOP, "UOTHER")
A1, A2, B1 = ConnectionId("a", 1), ConnectionId("a", 2), ConnectionId("b", 1)


def table() -> Connections:
    return Connections({SHOP: "UKEY"})


def test_a_cluster_is_online_while_any_of_its_connections_is_open() -> None:
    connections = table()
    connections.opened(A1, ME)
    connections.opened(B1, ME)
    assert connections.closed(A1) == SHOP
    assert connections.is_online(SHOP)
    assert connections.closed(B1) == SHOP
    assert not connections.is_online(SHOP)


def test_a_connection_that_is_told_closed_before_it_is_told_open_stays_closed() -> None:
    connections = table()
    assert connections.closed(A1) is None
    connections.opened(A1, ME)
    connections.begin_snapshot()
    connections.snapshot([Listed("a", {A1: ME})])
    assert not connections.is_online(SHOP)


def test_a_key_that_is_not_registered_makes_nobody_online_until_it_is() -> None:
    registered: dict[ClusterName, str] = {}
    connections = Connections(registered)
    connections.opened(A1, ME)
    assert not connections.is_online(SHOP)
    registered[SHOP] = "UOTHER"
    assert not connections.is_online(SHOP)
    registered[SHOP] = "UKEY"
    assert connections.is_online(SHOP)
    assert not connections.is_known(STRANGER)


def test_a_snapshot_closes_what_it_does_not_list_and_opens_what_it_does() -> None:
    connections = table()
    connections.opened(A1, ME)
    connections.begin_snapshot()
    assert connections.snapshot([Listed("a", {})]) == {SHOP}
    assert not connections.is_online(SHOP)
    connections.begin_snapshot()
    assert connections.snapshot([Listed("a", {A2: ME})]) == {SHOP}
    assert connections.is_online(SHOP)


def test_a_connection_that_opens_while_the_snapshot_is_taken_need_not_be_in_it() -> None:
    connections = table()
    connections.begin_snapshot()
    connections.opened(A1, ME)
    connections.snapshot([Listed("a", {})])
    assert connections.is_online(SHOP)


def test_the_connections_of_a_server_that_is_gone_end_with_the_second_snapshot_without_it() -> None:
    connections = table()
    connections.opened(B1, ME)
    for expected in (True, False):
        connections.begin_snapshot()
        connections.snapshot([Listed("a", {})])
        assert connections.is_online(SHOP) == expected
        assert connections.needs_another == expected


def test_a_server_that_answers_again_in_time_keeps_its_connections() -> None:
    connections = table()
    connections.opened(B1, ME)
    for listed in ([Listed("a", {})], [Listed("b", {B1: ME})], [Listed("a", {})]):
        connections.begin_snapshot()
        connections.snapshot(listed)
        assert connections.is_online(SHOP)


def jwt(claims: Any) -> str:
    return "h." + base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode() + ".s"


def test_who_a_connection_is_comes_from_its_jwt_alone() -> None:
    assert identity_of(jwt({"name": "shop1", "sub": "UKEY"})) == ME


@pytest.mark.parametrize(
    "unusable",
    [None, 7, "", "a.b", "a.!!.c", jwt([]), jwt({}), jwt({"name": "*", "sub": "U"}), jwt({"name": "shop1"})],
)
def test_a_jwt_that_says_nothing_usable_is_refused(unusable: Any) -> None:
    with pytest.raises(UnusableEvent):
        identity_of(unusable)


@given(st.lists(st.tuples(st.sampled_from(["open", "close"]), st.sampled_from([A1, A2, B1]))))
def test_events_alone_lead_to_exactly_the_open_connections(happened: list[tuple[str, ConnectionId]]) -> None:
    connections = table()
    ended: set[ConnectionId] = set()
    open_now: set[ConnectionId] = set()
    for what, connection in happened:
        if what == "open":
            connections.opened(connection, ME)
            open_now |= {connection} - ended
        else:
            connections.closed(connection)
            ended.add(connection)
            open_now.discard(connection)
    assert connections.is_online(SHOP) == bool(open_now)


def test_the_renderer_of_a_pool_is_no_cluster_even_of_its_name() -> None:
    claims: dict[str, Any] = {"name": SHOP, "sub": "UKEY", "nats": {"type": "user"}}
    for tags, expected in ((["pool"], None), (["other"], ME), (None, ME), ("pool", ME), ({"pool": 1}, ME)):
        body = {**claims, "nats": {**claims["nats"], **({"tags": tags} if tags is not None else {})}}
        part = base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")
        assert identity_of(f"e30.{part}.x") == expected
