"""How many segments a connection through the link puts on the wire, each way.

The link is a proxy: it reads one byte stream from the agent and one from the hub. What a packet counter on a
real link would show is what each of the two *senders* emitted, so each way is counted at its own sender:

measured (Linux): the kernel counts, per connection, every segment that arrived: data, pure ACKs, SYN, FIN and
    retransmissions (`tcpi_segs_in` of `TCP_INFO`). Up is read from the socket to the agent, down from the socket
    to the hub; the MSS option of both is clamped, so that the peers cut segments as on Ethernet. ACKs are the
    senders' own too: each end acknowledges what the link hands it by its own delayed-ACK timers and piggy-backing.
    One correction: on loopback a burst arrives as one offloaded packet and is acknowledged once, while a receiver
    without offload acknowledges at least every second segment (RFC 5681, 4.2). The ACKs that a burst lacks by that
    rule are added.
modelled (elsewhere): each read of the proxy is cut into segments of `MSS_BYTES`; a burst of n segments is
    acknowledged n // 2 times at once; an odd segment is acknowledged by data going back within `DELAYED_ACK_S`,
    else by a pure ACK. The connection costs SYN, SYN-ACK, ACK; a graceful end FIN, ACK, FIN, ACK.

Measured numbers equal a packet capture on loopback to the byte, but for bulk transfers, where the correction adds
what loopback saves: up to one 52-byte ACK for two full segments (1.8 %). The model sees neither two writes that
arrive in one read nor Linux's quick ACKs at the start of a conversation: it comes out a few percent low, and up to
a quarter low for a connection that carries a single request. Neither counts a resent segment that this machine's
loopback would not lose: a stall costs time here, not bytes. docs/wan-link.md has the figures.
"""

import socket
import struct
import sys
from dataclasses import dataclass
from typing import Protocol

from outrider_playground.wan.counters import MSS_BYTES, Count, Way, framed

# The shortest time for which Linux holds back an ACK in hope of data to carry it (TCP_DELACK_MIN).
DELAYED_ACK_S = 0.040
# Offsets in struct tcp_info (linux/tcp.h): tcpi_segs_in and tcpi_data_segs_in, both unsigned 32 bit.
_SEGS_IN_OFFSET = 140
_DATA_SEGS_IN_OFFSET = 152
_TCP_INFO_BYTES = 256


class Meter(Protocol):
    """Counts one connection. Calls come in the order in which things happen; `now_s` never goes back.

    Whoever sees `ended` for both ways may count once more before it closes the sockets, never after.
    """

    def data(self, way: Way, size_bytes: int, now_s: float) -> None:
        """Note `size_bytes` read from the sender of that way."""

    def ended(self, way: Way, now_s: float) -> None:
        """Note that the sender of that way has closed it."""

    def count(self, way: Way, now_s: float) -> Count:
        """Add up that way so far."""


class ModelMeter:
    """Counts by the documented rule alone."""

    def __init__(self) -> None:
        self._payload_bytes = {Way.UP: 0, Way.DOWN: 0}
        # SYN and the ACK that ends the handshake go up, the SYN-ACK comes down.
        self._segments = {Way.UP: 2, Way.DOWN: 1}
        # When the delayed ACK that this way owes falls due; None when nothing is owed.
        self._ack_due_s: dict[Way, float | None] = {Way.UP: None, Way.DOWN: None}

    def data(self, way: Way, size_bytes: int, now_s: float) -> None:
        """Count the segments of one read and the ACKs that they cause."""
        self._send_due_acks(now_s)
        self._payload_bytes[way] += size_bytes
        segments = -(-size_bytes // MSS_BYTES)
        self._segments[way] += segments
        self._ack_due_s[way] = None  # the data carries it
        self._segments[way.reverse] += segments // 2
        if segments % 2:
            self._acknowledge_odd_segment(way.reverse, now_s)

    def ended(self, way: Way, now_s: float) -> None:
        """Count a FIN, which carries any ACK owed, and its own ACK."""
        self._send_due_acks(now_s)
        self._ack_due_s[way] = None
        self._segments[way] += 1
        self._segments[way.reverse] += 1

    def count(self, way: Way, now_s: float) -> Count:
        """Add up that way, delayed ACKs that have fallen due included."""
        self._send_due_acks(now_s)
        return framed(self._payload_bytes[way], self._segments[way], syns=1)

    def _acknowledge_odd_segment(self, way: Way, now_s: float) -> None:
        """Owe one ACK; a second small segment in the meantime makes it go at once."""
        if self._ack_due_s[way] is None:
            self._ack_due_s[way] = now_s + DELAYED_ACK_S
        else:
            self._ack_due_s[way] = None
            self._segments[way] += 1

    def _send_due_acks(self, now_s: float) -> None:
        for way, due_s in self._ack_due_s.items():
            if due_s is not None and due_s <= now_s:
                self._ack_due_s[way] = None
                self._segments[way] += 1


@dataclass(frozen=True)
class _Arrived:
    segments: int
    data_segments: int


def _arrived(connection: socket.socket) -> _Arrived:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    (segments,) = struct.unpack_from("=I", info, _SEGS_IN_OFFSET)
    (data_segments,) = struct.unpack_from("=I", info, _DATA_SEGS_IN_OFFSET)
    return _Arrived(segments, data_segments)


class KernelMeter:
    """Counts by the kernel's own counters of the two sockets, with the ACKs added that loopback saves."""

    def __init__(self, agent: socket.socket) -> None:
        self._agent = agent
        # Set once the hub is reached; before that nothing comes down.
        self.hub: socket.socket | None = None
        self._payload_bytes = {Way.UP: 0, Way.DOWN: 0}
        self._data_segments = {Way.UP: 0, Way.DOWN: 0}
        self._saved_acks = {Way.UP: 0, Way.DOWN: 0}

    def data(self, way: Way, size_bytes: int, now_s: float) -> None:
        """Count payload, and the ACKs that a burst would have caused without offload."""
        self._payload_bytes[way] += size_bytes
        data_segments = self._arrived(way).data_segments
        burst = data_segments - self._data_segments[way]
        self._data_segments[way] = data_segments
        self._saved_acks[way.reverse] += max(0, burst // 2 - 1)

    def ended(self, way: Way, now_s: float) -> None:
        """Do nothing: the kernel counts the FIN and its ACK."""

    def count(self, way: Way, now_s: float) -> Count:
        """Read the kernel's counter of that way's sender."""
        arrived = self._arrived(way)
        segments = arrived.segments + self._saved_acks[way]
        return framed(self._payload_bytes[way], segments, syns=1 if arrived.segments else 0)

    def _arrived(self, way: Way) -> _Arrived:
        sender = self._agent if way is Way.UP else self.hub
        return _Arrived(0, 0) if sender is None else _arrived(sender)


def kernel_counts_segments() -> bool:
    """Tell whether this system's TCP_INFO has the counters (Linux 4.6 and later)."""
    if not sys.platform.startswith("linux"):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        info = probe.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    return len(info) >= _DATA_SEGS_IN_OFFSET + 4
