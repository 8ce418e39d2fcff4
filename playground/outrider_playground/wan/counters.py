"""What a link has carried, as plain numbers that can be subtracted."""

from dataclasses import dataclass
from enum import Enum

# IPv4 header without options (20) and TCP header (20) with the timestamps option (10) and its padding (2).
# Linux sends timestamps on every segment unless they are switched off.
SEGMENT_HEADER_BYTES = 52
# A SYN also carries MSS (4), SACK permitted (2, in place of the padding) and window scale (3 + 1): 60 bytes.
SYN_EXTRA_BYTES = 8
# Largest payload of one segment: an Ethernet MTU of 1500 less the 52 bytes above.
MSS_BYTES = 1448
# Size of the MSS option that makes a peer with timestamps send at most MSS_BYTES: RFC 6691 counts no options.
MSS_OPTION_BYTES = 1460


class Way(Enum):
    """A direction of the link."""

    UP = "up"  # from the agent to the hub
    DOWN = "down"  # from the hub to the agent

    @property
    def reverse(self) -> "Way":
        """The other direction."""
        return Way.DOWN if self is Way.UP else Way.UP


@dataclass(frozen=True)
class Count:
    """What went one way: `wire_bytes` is payload, TLS included, plus IPv4 and TCP headers; no link layer."""

    payload_bytes: int = 0
    segments: int = 0
    wire_bytes: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.payload_bytes + other.payload_bytes,
            self.segments + other.segments,
            self.wire_bytes + other.wire_bytes,
        )

    def __sub__(self, other: "Count") -> "Count":
        return Count(
            self.payload_bytes - other.payload_bytes,
            self.segments - other.segments,
            self.wire_bytes - other.wire_bytes,
        )


def framed(payload_bytes: int, segments: int, syns: int) -> Count:
    """Add up what `segments`, of which `syns` open a connection, weigh on the wire."""
    wire_bytes = payload_bytes + segments * SEGMENT_HEADER_BYTES + syns * SYN_EXTRA_BYTES
    return Count(payload_bytes, segments, wire_bytes)


@dataclass(frozen=True)
class Counters:
    """A snapshot of a link. Subtract an earlier one to learn what a step cost."""

    up: Count = Count()
    down: Count = Count()
    # Connections that the link has accepted.
    connections: int = 0

    @property
    def total(self) -> Count:
        """Both directions together."""
        return self.up + self.down

    def __sub__(self, other: "Counters") -> "Counters":
        return Counters(self.up - other.up, self.down - other.down, self.connections - other.connections)
