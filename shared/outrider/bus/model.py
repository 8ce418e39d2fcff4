"""How to reach the bus, as whom, and what arrives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from outrider.backoff import Backoff


class User(NamedTuple):
    """Who connects: the name, the JWT and the seed that answers the server's nonce."""

    name: str
    jwt: str
    seed: str
    is_pool: bool = False
    # a delegated renderer, named after its pool: a cluster of the same name is somebody else

    @property
    def inbox(self) -> str:
        """The prefix of the subjects that answers come back on. No cluster's name has an upper-case letter."""
        return f"_INBOX_POOL_{self.name}" if self.is_pool else f"_INBOX_{self.name}"


@dataclass(frozen=True)
class BusSettings:
    """How to reach the bus."""

    servers: tuple[str, ...]
    # nats://, tls://, ws:// or wss:// URLs; one is picked at random an attempt
    user: Callable[[], User]
    # called before each attempt, so that renewed credentials are taken up
    ca_pem: str | None = None
    # trusted instead of the system's authorities
    connect_timeout_s: float = 10
    # the server gives a handshake 10 s too: 2 s fail on satellite links
    ping_interval_s: float = 110
    # 0.2 MB a day
    pong_timeout_s: float = 30
    # so a dead link is seen within 140 s, and within `unacked_timeout_s` where there is something to send
    unacked_timeout_s: float = 30
    # the kernel gives up unacknowledged bytes after this: a dead link is seen at the next send
    backoff: Backoff = field(default_factory=Backoff)
    pending_messages: int = 65_536
    pending_bytes: int = 64 << 20
    # per subscription; beyond it messages are dropped by nats-py and `on_dropped` hooks run


class Message(NamedTuple):
    """What arrived."""

    subject: str
    data: bytes
    reply: str
    headers: dict[str, str]


class Outgoing(NamedTuple):
    """A message that is to be sent with others."""

    subject: str
    data: bytes
    headers: Mapping[str, str]
