"""Open a connection to a host, to none but the addresses that the policy allows.

The addresses that the name stands for are looked up once and the connection is made to one of them: a name that answers
differently the second time gains nothing.
"""

import socket

from outrider.rendering.git.address import AddressPolicy
from outrider.rendering.git.errors import AddressRefused, RepositoryUnavailable

_KEEPALIVE_IDLE_S = 30


def dial(host: str, port: int, policy: AddressPolicy, timeout_s: float) -> socket.socket:
    """Return a connected socket; AddressRefused if the host's addresses are not allowed, RepositoryUnavailable if none answers."""
    where = f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise RepositoryUnavailable(
            where, f"the host's address can't be found: {error.strerror or error}"
        ) from None
    allowed = [entry for entry in found if policy.allows_ip(str(entry[4][0]), host)]
    if not allowed:
        raise AddressRefused(where, "the host is inside a private network, which is not allowed here")
    reason = ""
    for family, kind, protocol, _, sockaddr in allowed:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(timeout_s)
            connection.connect(sockaddr)
            _keep_alive(connection)
        except OSError as error:
            connection.close()
            reason = error.strerror or str(error)
        else:
            return connection
    raise RepositoryUnavailable(where, f"can't connect: {reason}")


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE_S)
