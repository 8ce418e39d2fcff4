"""How much of a server's time and bytes one fetch may take."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from outrider.rendering.git.errors import RepositoryTooLarge, RepositoryUnavailable

MIB = 1024 * 1024


@dataclass(frozen=True)
class FetchLimits:
    """Limits of one fetch."""

    connect_timeout_s: float = 10.0
    idle_timeout_s: float = 30.0
    # The longest silence of a server; large repositories are counted before the first byte comes.
    total_timeout_s: float = 300.0
    max_received_bytes: int = 1024 * MIB
    max_objects: int = 2_000_000
    max_object_bytes: int = 128 * MIB
    # An object is held in memory whole. Manifests are far smaller; what is larger is data that is no manifest.
    max_unpacked_bytes: int = 4096 * MIB


class Spending:
    """What one fetch has spent of its limits. Used by the thread that fetches; `stop` may be called from any."""

    def __init__(self, url: str, limits: FetchLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self.url, self.limits = url, limits
        self._clock = clock
        self._deadline = clock() + limits.total_timeout_s
        self._received_bytes = 0
        self._stopped = threading.Event()
        self._connections: list[socket.socket] = []

    def stop(self) -> None:
        """End the fetch, even while it waits for a server."""
        self._stopped.set()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def watch(self, connection: socket.socket) -> socket.socket:
        """Take note of a connection, so that `stop` reaches it, and return it."""
        # A duplicate: TLS takes the descriptor over from the socket that it is put on.
        self._connections.append(connection.dup())
        return connection

    def release(self) -> None:
        """Forget the connections, which whoever opened them has closed."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def remaining_s(self) -> float:
        """Return the seconds left for waiting once; RepositoryUnavailable if the fetch has to end."""
        if self._stopped.is_set():
            raise RepositoryUnavailable(self.url, "the fetch was stopped")
        left = self._deadline - self._clock()
        if left <= 0:
            raise RepositoryUnavailable(self.url, f"took longer than {self.limits.total_timeout_s:.0f} s")
        return min(left, self.limits.idle_timeout_s)

    def received(self, data: bytes) -> bytes:
        """Count bytes that came from the server, and return them."""
        self.remaining_s()
        self._received_bytes += len(data)
        if self._received_bytes > self.limits.max_received_bytes:
            raise RepositoryTooLarge(self.url, f"sent more than {self.limits.max_received_bytes // MIB} MiB")
        return data
