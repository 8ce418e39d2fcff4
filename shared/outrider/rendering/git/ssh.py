"""Git over SSH: paramiko as dulwich's transport, with the host checked against known keys before anything is sent.

Nothing is read from the machine: no ssh configuration, no agent, no key files, no known_hosts but the text that belongs to the
repository. A host without a known key is refused: what is trusted at first sight was never checked.
"""

import io
from collections.abc import Callable
from typing import IO, cast

import paramiko
from dulwich.client import SSHGitClient, SSHVendor, SubprocessWrapper
from dulwich.errors import HangupException
from dulwich.protocol import Protocol

from outrider.rendering.git.access import RepositoryAccess
from outrider.rendering.git.address import Address, AddressPolicy
from outrider.rendering.git.bounds import Spending
from outrider.rendering.git.dial import dial
from outrider.rendering.git.errors import CredentialsRefused, HostNotTrusted, RepositoryUnavailable

_STDERR_MAX_BYTES = 4096
_KEY_CLASSES: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
_SIGNATURES_OF = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
# A known RSA key is used with these signatures; the one with SHA-1 is gone.


def ssh_client(
    access: RepositoryAccess, address: Address, policy: AddressPolicy, spending: Spending
) -> "SshClient":
    """Return a client for one fetch; its `close` ends the connections."""
    return SshClient(
        address.host,
        port=address.port,
        username=address.username or access.username or "git",
        vendor=_Vendor(access, policy, spending),
    )


class SshClient(SSHGitClient):
    """dulwich's client, which leaves a connection open where a server hangs up early."""

    _opened: tuple[Protocol, ...] = ()

    def _connect(
        self, cmd: bytes, path: str | bytes, protocol_version: int | None = None
    ) -> tuple[Protocol, Callable[[], bool], IO[bytes] | None]:
        connection = super()._connect(cmd, path, protocol_version)
        self._opened += (connection[0],)
        return connection

    def close(self) -> None:
        """End the connections."""
        for protocol in self._opened:
            protocol.close()


class _Vendor(SSHVendor):
    def __init__(self, access: RepositoryAccess, policy: AddressPolicy, spending: Spending) -> None:
        self._access, self._policy, self._spending = access, policy, spending

    def run_command(
        self,
        host: str,
        command: bytes,
        username: str | None = None,
        port: int | None = None,
        password: str | None = None,
        key_filename: str | None = None,
        ssh_command: str | None = None,
        protocol_version: int | None = None,
    ) -> SubprocessWrapper:
        port = port or 22
        known = _known_keys(self._access, host, port)
        if not known:
            raise HostNotTrusted(
                self._access.url, f"no host key is known for {host}; add it to the repository's known hosts"
            )
        timeout_s = min(self._spending.remaining_s(), self._spending.limits.connect_timeout_s)
        connection = self._spending.watch(dial(host, port, self._policy, timeout_s))
        try:
            transport = paramiko.Transport(connection)
        except paramiko.SSHException:
            connection.close()
            raise RepositoryUnavailable(self._access.url, "the server does not speak SSH") from None
        try:
            self._start(transport, known, host, timeout_s)
            self._authenticate(transport, username or "git")
            # dulwich asks for no more than the methods that _Command has.
            return cast("SubprocessWrapper", _Command(transport, command, self._spending, protocol_version))
        except BaseException as error:
            transport.close()
            if isinstance(error, paramiko.SSHException | OSError | EOFError):
                raise RepositoryUnavailable(self._access.url, f"SSH failed: {type(error).__name__}") from None
            raise

    def _start(
        self, transport: paramiko.Transport, known: dict[str, paramiko.PKey], host: str, timeout_s: float
    ) -> None:
        # Ask for the kinds of key that are known: a server that has several must not choose one that can't be checked.
        wanted = [algorithm for kind in known for algorithm in _SIGNATURES_OF.get(kind, (kind,))]
        options = transport.get_security_options()
        options.key_types = tuple(name for name in options.key_types if name in wanted)
        try:
            transport.start_client(timeout=timeout_s)
        except paramiko.SSHException:
            if transport.is_active() or transport.remote_version:
                raise HostNotTrusted(
                    self._access.url, f"{host} offers no host key of a kind that is known for it"
                ) from None
            raise
        key = transport.get_remote_server_key()
        if known.get(key.get_name()) != key:
            raise HostNotTrusted(self._access.url, f"{host} shows another host key than the known one")

    def _authenticate(self, transport: paramiko.Transport, username: str) -> None:
        transport.auth_timeout = self._spending.remaining_s()
        try:
            if self._access.ssh_private_key:
                transport.auth_publickey(username, self._private_key())
            elif self._access.password:
                transport.auth_password(username, self._access.password)
            else:
                raise CredentialsRefused(self._access.url, "the repository has no SSH key")
        except paramiko.AuthenticationException:
            raise CredentialsRefused(self._access.url, "the server refused the SSH key or password") from None

    def _private_key(self) -> paramiko.PKey:
        for kind in _KEY_CLASSES:
            try:
                return kind.from_private_key(io.StringIO(self._access.ssh_private_key))
            except paramiko.PasswordRequiredException:
                raise CredentialsRefused(
                    self._access.url, "the SSH key is encrypted; give it without a passphrase"
                ) from None
            except (paramiko.SSHException, ValueError, IndexError, TypeError):
                continue
        raise CredentialsRefused(
            self._access.url, "the SSH key can't be read: it is no Ed25519, ECDSA or RSA private key"
        )


def _known_keys(access: RepositoryAccess, host: str, port: int) -> dict[str, paramiko.PKey]:
    """Return the host's known keys by kind. Lines that can't be read, and markers such as @cert-authority, vouch for nobody."""
    hosts = paramiko.HostKeys()
    for number, line in enumerate(access.ssh_known_hosts.splitlines()):
        if not line.strip() or line.lstrip().startswith(("#", "@")):
            continue
        try:
            entry = paramiko.hostkeys.HostKeyEntry.from_line(line, number)
        except (paramiko.SSHException, ValueError):
            continue
        if entry is not None and entry.key is not None:
            for name in entry.hostnames or ():
                hosts.add(name, entry.key.get_name(), entry.key)
    name = host if port == 22 else f"[{host}]:{port}"
    found = hosts.lookup(name)
    return {kind: found[kind] for kind in found} if found else {}


class _Stderr:
    """The one method of a file that dulwich uses, once the server has hung up."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def readlines(self) -> list[bytes]:
        """Return the lines that have arrived, within bounds."""
        said = self._channel.recv_stderr(_STDERR_MAX_BYTES) if self._channel.recv_stderr_ready() else b""
        return said.splitlines(keepends=True)


class _Command:
    """One command on the server, in the form in which dulwich reads and writes it."""

    def __init__(
        self, transport: paramiko.Transport, command: bytes, spending: Spending, protocol_version: int | None
    ) -> None:
        self._transport, self._spending = transport, spending
        self._channel = transport.open_session(timeout=spending.remaining_s())
        self._channel.settimeout(spending.remaining_s())
        # A server that does not take the variable speaks the older protocol, which is understood as well.
        self._channel.set_environment_variable(
            "GIT_PROTOCOL", f"version={2 if protocol_version is None else protocol_version}"
        )
        try:
            self._channel.exec_command(command)
        except paramiko.SSHException:
            # A server may refuse the command, say why, and close before it has answered that it takes it.
            raise HangupException(self.stderr.readlines()) from None
        self._buffer = bytearray()

    @property
    def stderr(self) -> "_Stderr":
        """What the server says beside the protocol."""
        return _Stderr(self._channel)

    def can_read(self) -> bool:
        """Tell whether a read would return at once."""
        return bool(self._buffer) or self._channel.recv_ready()

    def write(self, data: bytes) -> int:
        """Send all of `data`."""
        self._channel.settimeout(self._spending.remaining_s())
        self._channel.sendall(data)
        return len(data)

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end of the stream."""
        while len(self._buffer) < size:
            self._channel.settimeout(self._spending.remaining_s())
            try:
                data = self._channel.recv(65536)
            except TimeoutError:
                raise RepositoryUnavailable(self._spending.url, "it takes too long") from None
            if not data:
                break
            self._buffer += self._spending.received(data)
        taken, self._buffer = bytes(self._buffer[:size]), self._buffer[size:]
        return taken

    def close(self, timeout: int | None = None) -> None:
        """End the connection."""
        self._channel.close()
        self._transport.close()
