"""Git servers for tests, in threads: HTTPS with a certificate made on the spot and basic authentication, and SSH."""

import base64
import contextlib
import datetime
import io
import os
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import paramiko
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from dulwich.protocol import Protocol
from dulwich.repo import Repo
from dulwich.server import Backend, BackendRepo, UploadPackHandler
from dulwich.web import make_wsgi_chain

USERNAME, PASSWORD = "robot", "s3cret-token-canary"


@dataclass(frozen=True)
class Certificate:
    """A CA that signed itself and is the server's certificate too: PEM text, and a context that serves it."""

    pem: str
    context: ssl.SSLContext


def make_certificate(folder: Path, host: str = "127.0.0.1") -> Certificate:
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "server.pem"
    file.write_bytes(pem + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return Certificate(pem.decode(), context)


class _Repositories(Backend):
    def __init__(self, root: Path) -> None:
        self._root = root

    def open_repository(self, path: str | bytes) -> BackendRepo:
        return Repo(str(self._root / os.fsdecode(path).strip("/")))


@dataclass
class Requests:
    """What a server was asked: method and path, and the Authorization header, of each request."""

    lines: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def get_stderr(self) -> Any:
        return io.StringIO()


class _Threaded(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    context: ssl.SSLContext

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: object, client_address: object) -> None:
        pass


WsgiApp = Callable[[dict[str, Any], Any], Any]


@dataclass(frozen=True)
class HttpsServer:
    """A running server. `answer` may be replaced by a function that takes requests over: it returns None to leave one alone."""

    url: str
    requests: Requests
    answers: list[WsgiApp]


@contextlib.contextmanager
def https_server(
    root: Path, certificate: Certificate, *, password: str | None = None
) -> Iterator[HttpsServer]:
    git = make_wsgi_chain(_Repositories(root))
    requests = Requests()
    answers: list[WsgiApp] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        requests.lines.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        requests.authorizations.append(environ.get("HTTP_AUTHORIZATION"))
        for answer in answers:
            taken = answer(environ, start_response)
            if taken is not None:
                return taken
        expected = "Basic " + base64.b64encode(f"{USERNAME}:{password}".encode()).decode()
        if password is not None and environ.get("HTTP_AUTHORIZATION") != expected:
            start_response("401 Unauthorized", [("WWW-Authenticate", "Basic"), ("Content-Length", "0")])
            return [b""]
        return git(environ, start_response)

    server = _Threaded(("127.0.0.1", 0), _Quiet)
    server.context = certificate.context
    server.set_app(app)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield HttpsServer(f"https://127.0.0.1:{server.server_port}", requests, answers)
    finally:
        server.shutdown()
        server.server_close()


class _SshSession(paramiko.ServerInterface):
    def __init__(self, key: paramiko.PKey, root: Path) -> None:
        self._key, self._root = key, root

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return (
            paramiko.common.AUTH_SUCCESSFUL
            if key == self._key and username == "git"
            else paramiko.common.AUTH_FAILED
        )

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._serve, args=(channel, command.decode()), daemon=True).start()
        return True

    def _serve(self, channel: paramiko.Channel, command: str) -> None:
        verb, _, path = command.partition(" ")
        with contextlib.suppress(Exception), channel:
            path = path.strip("'")
            if verb != "git-upload-pack" or not (self._root / path.strip("/")).is_dir():
                channel.sendall_stderr(b"ERROR: no such repository\n")
                channel.send_exit_status(128)
                return
            reader = channel.makefile("rb")
            protocol = Protocol(reader.read, lambda data: channel.sendall(data))
            UploadPackHandler(_Repositories(self._root), [path], protocol).handle()
            channel.send_exit_status(0)


@dataclass(frozen=True)
class SshServer:
    port: int
    known_hosts: str
    other_known_hosts: str
    private_key: str

    def url(self, path: str) -> str:
        return f"ssh://git@127.0.0.1:{self.port}/{path}"


def _private_text(key: paramiko.PKey) -> str:
    text = io.StringIO()
    key.write_private_key(text)
    return text.getvalue()


@contextlib.contextmanager
def ssh_server(root: Path) -> Iterator[SshServer]:
    host_key, other_key = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
    user_key = paramiko.ECDSAKey.generate()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    transports: list[paramiko.Transport] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(host_key)
            transports.append(transport)
            with contextlib.suppress(paramiko.SSHException, EOFError):
                transport.start_server(server=_SshSession(user_key, root), event=threading.Event())

    threading.Thread(target=accept, daemon=True).start()
    try:
        line = f"[127.0.0.1]:{port} {host_key.get_name()} "
        yield SshServer(
            port,
            line + host_key.get_base64() + "\n",
            line + other_key.get_base64() + "\n",
            _private_text(user_key),
        )
    finally:
        listener.close()
        for transport in transports:
            transport.close()
