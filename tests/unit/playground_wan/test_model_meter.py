from outrider_playground.wan.counters import Counters, Way
from outrider_playground.wan.metering import DELAYED_ACK_S, ModelMeter

HANDSHAKE_UP_BYTES = 60 + 52
HANDSHAKE_DOWN_BYTES = 60


def test_a_connection_that_says_nothing_costs_its_handshake() -> None:
    meter = ModelMeter()
    assert meter.count(Way.UP, 0.0).wire_bytes == HANDSHAKE_UP_BYTES
    assert meter.count(Way.DOWN, 0.0).wire_bytes == HANDSHAKE_DOWN_BYTES


def test_an_answer_within_the_delay_carries_the_ack() -> None:
    meter = ModelMeter()
    meter.data(Way.UP, 6, 0.0)
    meter.data(Way.DOWN, 6, DELAYED_ACK_S / 2)
    # PING, PONG, and the ACK of the PONG that nothing follows.
    assert meter.count(Way.UP, 10.0).wire_bytes == HANDSHAKE_UP_BYTES + 6 + 52 + 52
    assert meter.count(Way.DOWN, 10.0).wire_bytes == HANDSHAKE_DOWN_BYTES + 6 + 52


def test_a_late_answer_comes_after_a_pure_ack() -> None:
    meter = ModelMeter()
    meter.data(Way.UP, 6, 0.0)
    meter.data(Way.DOWN, 6, DELAYED_ACK_S * 2)
    assert meter.count(Way.DOWN, 10.0).segments == 1 + 1 + 1


def test_a_delayed_ack_is_not_counted_before_it_is_due() -> None:
    meter = ModelMeter()
    meter.data(Way.UP, 6, 0.0)
    assert meter.count(Way.DOWN, DELAYED_ACK_S / 2).segments == 1
    assert meter.count(Way.DOWN, DELAYED_ACK_S).segments == 2


def test_a_bulk_transfer_is_acknowledged_every_second_segment() -> None:
    meter = ModelMeter()
    meter.data(Way.DOWN, 1448 * 100, 0.0)
    assert meter.count(Way.DOWN, 1.0).segments == 1 + 100
    assert meter.count(Way.UP, 1.0).segments == 2 + 50


def test_a_graceful_end_costs_two_fins_and_their_acks() -> None:
    meter = ModelMeter()
    meter.ended(Way.UP, 0.0)
    meter.ended(Way.DOWN, 0.0)
    assert meter.count(Way.UP, 1.0).segments == 2 + 2
    assert meter.count(Way.DOWN, 1.0).segments == 1 + 2


def test_counters_subtract_to_what_a_step_cost() -> None:
    meter = ModelMeter()
    before = Counters(meter.count(Way.UP, 0.0), meter.count(Way.DOWN, 0.0), connections=1)
    meter.data(Way.UP, 100, 0.0)
    step = Counters(meter.count(Way.UP, 1.0), meter.count(Way.DOWN, 1.0), connections=1) - before
    assert (step.up.payload_bytes, step.up.wire_bytes) == (100, 152)
    assert (step.down.payload_bytes, step.down.wire_bytes) == (0, 52)
    assert (step.total.wire_bytes, step.connections) == (204, 0)
