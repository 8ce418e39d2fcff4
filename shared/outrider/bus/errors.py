"""What can go wrong on the bus. All of it is transient but WrongRevision and NotFound, which are answers."""


class BusError(Exception):
    """Base of the package's errors."""


class Disconnected(BusError):
    """There is no connection, or it went while waiting: try again after the next connect."""


class RequestTimedOut(BusError):
    """Nobody answered in time. The request may have been carried out."""

    def __init__(self, subject: str, timeout_s: float) -> None:
        self.subject, self.timeout_s = subject, timeout_s
        super().__init__(f"no answer on {subject} within {timeout_s:g} s")


class NoResponders(BusError):
    """Nobody listens on the subject: the service is not up (yet)."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        super().__init__(f"nobody serves {subject} at the moment")


class NotFound(BusError):
    """No such key, object or stream."""


class WrongRevision(BusError):
    """Somebody else wrote the key since it was read: read it again and decide anew."""
