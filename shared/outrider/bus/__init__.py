"""The bus: the only package that talks to nats-py. Connections that come back, acknowledged publishes, buckets, services."""

from outrider.bus.connection import Connection, connected
from outrider.bus.errors import BusError, Disconnected, NoResponders, NotFound, RequestTimedOut, WrongRevision
from outrider.bus.model import BusSettings, Message, User

__all__ = [
    "BusError",
    "BusSettings",
    "Connection",
    "Disconnected",
    "Message",
    "NoResponders",
    "NotFound",
    "RequestTimedOut",
    "User",
    "WrongRevision",
    "connected",
]
