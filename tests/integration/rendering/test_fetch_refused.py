"""What a fetch refuses: servers that are not who they say, credentials on their way to another host, answers without end."""

import asyncio
import contextlib
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dulwich.protocol import pkt_line
from tests.integration.rendering.repositories import Repository, manifest
from tests.integration.rendering.servers import (
    PASSWORD,
    USERNAME,
    Certificate,
    HttpsServer,
    SshServer,
    https_server,
    make_certificate,
)
from tests.integration.rendering.test_fetch import https_access, ssh_access

from outrider.rendering.git import (
    AddressPolicy,
    AddressRefused,
    CredentialsRefused,
    FetchLimits,
    GitError,
    GitStore,
    HostNotTrusted,
    RepositoryAccess,
    RepositoryTooLarge,
    RepositoryUnavailable,
)


async def test_wrong_credentials_are_refused_without_showing_them(
    served: Repository, https: HttpsServer, certificate: Certificate, store: GitStore
) -> None:
    access = replace(https_access(https, certificate), password="wr0ng-canary")  # noqa: S106 - the canary

    with pytest.raises(CredentialsRefused, match="refused the credentials") as refused:
        await store.fetch(access, ["main"])

    assert "canary" not in f"{refused.value!s} {refused.value!r} {access!r} {vars(refused.value)}"


async def test_missing_credentials_are_asked_for_by_name(
    https: HttpsServer, certificate: Certificate, store: GitStore
) -> None:
    access = RepositoryAccess(f"{https.url}/team/app.git", tls_ca=certificate.pem)

    with pytest.raises(CredentialsRefused, match="asks for credentials, and none are known"):
        await store.fetch(access, ["main"])


async def test_a_repository_that_does_not_exist_is_named(
    https: HttpsServer, certificate: Certificate, ssh: SshServer, store: GitStore, tmp_path: Path
) -> None:
    https.answers.append(_not_found)
    accesses = [
        https_access(https, certificate),
        replace(ssh_access(ssh), url=ssh.url("nothing.git")),
        RepositoryAccess(f"file://{tmp_path}/nothing.git"),
    ]
    for access in accesses:
        with pytest.raises(GitError, match=r"no such repository|no Git repository"):
            await store.fetch(access, ["main"])


def _not_found(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("404 Not Found", [("Content-Length", "0")])
    return [b""]


async def test_a_certificate_of_an_unknown_authority_is_refused(
    https: HttpsServer, certificate: Certificate, store: GitStore, tmp_path: Path
) -> None:
    for tls_ca in ("", make_certificate(tmp_path).pem):
        access = replace(https_access(https, certificate), tls_ca=tls_ca)
        with pytest.raises(HostNotTrusted, match="TLS certificate is refused"):
            await store.fetch(access, ["main"])

    assert https.requests.lines == []


async def test_a_certificate_for_another_host_is_refused(
    served: Repository, tmp_path: Path, store: GitStore
) -> None:
    other = make_certificate(tmp_path, host="127.0.0.2")
    with https_server(tmp_path / "served", other, password=PASSWORD) as server:
        with pytest.raises(HostNotTrusted, match="TLS certificate is refused"):
            await store.fetch(https_access(server, other), ["main"])
        assert server.requests.lines == []


async def test_an_ssh_host_with_another_key_than_the_known_one_is_refused(
    ssh: SshServer, store: GitStore
) -> None:
    with pytest.raises(HostNotTrusted, match="shows another host key"):
        await store.fetch(replace(ssh_access(ssh), ssh_known_hosts=ssh.other_known_hosts), ["main"])


async def test_an_ssh_host_without_a_known_key_is_refused(ssh: SshServer, store: GitStore) -> None:
    for known_hosts in (
        "",
        "# nothing\n",
        "example.com ecdsa-sha2-nistp256 AAAA\n",
        "@cert-authority * x y\n",
    ):
        with pytest.raises(HostNotTrusted, match="no host key is known"):
            await store.fetch(replace(ssh_access(ssh), ssh_known_hosts=known_hosts), ["main"])


async def test_an_ssh_key_that_the_server_does_not_know_is_refused(ssh: SshServer, store: GitStore) -> None:
    import paramiko
    from tests.integration.rendering.servers import _private_text

    access = replace(ssh_access(ssh), ssh_private_key=_private_text(paramiko.ECDSAKey.generate()))
    with pytest.raises(CredentialsRefused, match="refused the SSH key"):
        await store.fetch(access, ["main"])
    with pytest.raises(CredentialsRefused, match="can't be read"):
        await store.fetch(replace(access, ssh_private_key="no key"), ["main"])


async def test_credentials_are_not_sent_to_the_host_that_a_server_redirects_to(
    served: Repository, https: HttpsServer, certificate: Certificate, store: GitStore, tmp_path: Path
) -> None:
    commit = served.commit({"app/a.yaml": manifest("one")})
    with https_server(tmp_path / "served", certificate) as other:
        https.answers.append(_redirect_to(other.url))

        assert await store.fetch(https_access(https, certificate), ["main"]) == {"main": commit}

    assert https.requests.authorizations == [https.requests.authorizations[0]] != [None]
    assert other.requests.lines == ["GET /team/app.git/info/refs", "POST /team/app.git/git-upload-pack"]
    assert other.requests.authorizations == [None, None]


async def test_a_redirect_inside_the_same_origin_keeps_the_credentials(
    served: Repository, https: HttpsServer, certificate: Certificate, store: GitStore
) -> None:
    commit = served.commit({"app/a.yaml": manifest("one")})

    def moved(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"].startswith("/old/"):
            return _redirect_to(f"{https.url}/team")(
                {**environ, "PATH_INFO": environ["PATH_INFO"].removeprefix("/old")}, start_response
            )
        return None

    https.answers.append(moved)
    access = replace(https_access(https, certificate), url=f"{https.url}/old/app.git")

    assert await store.fetch(access, ["main"]) == {"main": commit}


def _redirect_to(base: str) -> Any:
    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        target = f"{base}{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
        start_response("302 Found", [("Location", target), ("Content-Length", "0")])
        return [b""]

    return answer


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:1",
        "ftp://127.0.0.1",
        "file:///etc",
        "https://-oProxyCommand=x",
        "https://user:pw@127.0.0.1:1",
    ],
)
async def test_a_redirect_out_of_https_or_to_a_strange_address_is_refused(
    target: str, served: Repository, https: HttpsServer, certificate: Certificate, store: GitStore
) -> None:
    https.answers.append(_redirect_to(target))

    with pytest.raises(AddressRefused):
        await store.fetch(https_access(https, certificate), ["main"])


async def test_redirects_in_a_circle_end(
    served: Repository, https: HttpsServer, certificate: Certificate, store: GitStore
) -> None:
    https.answers.append(_redirect_to(https.url))

    with pytest.raises(RepositoryUnavailable, match="redirects more than 5 times"):
        await store.fetch(https_access(https, certificate), ["main"])


async def test_a_locked_down_store_reaches_no_private_host_and_no_file(
    served: Repository, https: HttpsServer, certificate: Certificate, ssh: SshServer, tmp_path: Path
) -> None:
    async with GitStore(tmp_path / "store", policy=AddressPolicy.locked_down()) as store:
        for access in (https_access(https, certificate), ssh_access(ssh)):
            with pytest.raises(AddressRefused, match="private network"):
                await store.fetch(access, ["main"])
        with pytest.raises(AddressRefused, match="file is not allowed here"):
            await store.fetch(RepositoryAccess(served.url), ["main"])

    assert https.requests.lines == []


async def test_a_locked_down_store_reaches_a_private_host_that_is_vouched_for_and_follows_it_to_no_other(
    served: Repository, https: HttpsServer, certificate: Certificate, ssh: SshServer, tmp_path: Path
) -> None:
    commit = served.commit({"a.yaml": "a: 1"})
    async with GitStore(tmp_path / "store", policy=AddressPolicy.locked_down()) as store:
        for access in (https_access(https, certificate), ssh_access(ssh)):
            assert await store.fetch(replace(access, vouched=True), ["main"]) == {"main": commit}
        https.answers.append(_redirect_to(https.url.replace("127.0.0.1", "localhost")))
        with pytest.raises(AddressRefused, match="private network"):
            await store.fetch(replace(https_access(https, certificate), vouched=True), ["main"])


async def test_a_server_that_speaks_no_git_is_named(
    https: HttpsServer, certificate: Certificate, store: GitStore
) -> None:
    def page(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<html>"]

    https.answers.append(page)

    with pytest.raises(RepositoryUnavailable, match="does not speak Git's smart HTTP protocol"):
        await store.fetch(https_access(https, certificate), ["main"])


async def test_a_server_that_echoes_the_credentials_does_not_get_them_into_the_error(
    https: HttpsServer, certificate: Certificate, store: GitStore
) -> None:
    def echo(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "application/x-git-upload-pack-advertisement")])
        return [
            pkt_line(b"# service=git-upload-pack\n")
            + b"0000"
            + pkt_line(b"ERR you said " + PASSWORD.encode())
        ]

    https.answers.append(echo)

    with pytest.raises(RepositoryUnavailable) as refused:
        await store.fetch(https_access(https, certificate), ["main"])
    assert PASSWORD not in str(refused.value)


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                taken.append(listener.accept()[0])

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/silent.git"
    finally:
        listener.close()
        for connection in taken:
            connection.close()


async def test_a_server_that_never_answers_delays_no_other_repository_and_ends_in_time(
    served: Repository, tmp_path: Path
) -> None:
    commit = served.commit({"app/a.yaml": manifest("one")})
    limits = FetchLimits(connect_timeout_s=0.5, idle_timeout_s=0.5, total_timeout_s=1)
    async with GitStore(tmp_path / "store", fetch_limits=limits) as store, asyncio.TaskGroup() as tasks:
        with silent_server() as silent:
            hanging = [
                tasks.create_task(_outcome(store, RepositoryAccess(f"{silent}/{number}")))
                for number in range(10)
            ]
            assert await store.fetch(RepositoryAccess(served.url), ["main"]) == {"main": commit}
            assert not any(task.done() for task in hanging)
            async with asyncio.timeout(10):
                assert all(
                    isinstance(outcome, RepositoryUnavailable) for outcome in await asyncio.gather(*hanging)
                )


async def _outcome(store: GitStore, access: RepositoryAccess) -> object:
    try:
        return await store.fetch(access, ["main"])
    except GitError as error:
        return error


async def test_a_cancelled_fetch_lets_go_of_the_server_at_once(tmp_path: Path) -> None:
    with silent_server() as silent:
        begun = time.monotonic()
        async with GitStore(tmp_path / "store") as store:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await store.fetch(RepositoryAccess(silent), ["main"])
            # The thread is free again well before its own limit of 30 s: one worker of the executor can be joined.
            async with asyncio.timeout(10):
                await asyncio.to_thread(store._network.shutdown, wait=True)
        assert time.monotonic() - begun < 10


def _pack_of(kind: int, size: int, compressed: bytes) -> bytes:
    import hashlib

    head = bytearray()
    byte, rest = kind << 4 | size & 15, size >> 4
    while rest:
        head.append(byte | 0x80)
        byte, rest = rest & 0x7F, rest >> 7
    head.append(byte)
    body = b"PACK" + (2).to_bytes(4, "big") + (1).to_bytes(4, "big")
    pack = body + bytes(head) + compressed
    return pack + hashlib.sha1(pack).digest()  # noqa: S324 - as packs end


def _serve_pack(pack: bytes) -> Any:
    head = b"1" * 40

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "GET":
            start_response("200 OK", [("Content-Type", "application/x-git-upload-pack-advertisement")])
            refs = head + b" refs/heads/main\0side-band-64k shallow thin-pack ofs-delta\n"
            return [pkt_line(b"# service=git-upload-pack\n") + b"0000" + pkt_line(refs) + b"0000"]
        # A connection closed with the question unread is reset, and the answer lost on the way.
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("200 OK", [("Content-Type", "application/x-git-upload-pack-result")])
        parts = [pkt_line(b"\x01" + pack[at : at + 65000]) for at in range(0, len(pack), 65000)]
        return [pkt_line(b"shallow " + head) + b"0000" + pkt_line(b"NAK\n"), *parts, b"0000"]

    return answer


async def test_a_pack_that_unpacks_to_far_more_is_refused_before_it_is_unpacked(
    https: HttpsServer, certificate: Certificate, tmp_path: Path
) -> None:
    zeros = zlib.compress(b"\0" * (64 << 20))
    honest, lying = _pack_of(3, 64 << 20, zeros), _pack_of(3, 100, zeros)
    async with GitStore(tmp_path / "small", fetch_limits=FetchLimits(max_object_bytes=1 << 20)) as store:
        https.answers[:] = [_serve_pack(honest)]
        with pytest.raises(RepositoryTooLarge, match="an object of 64 MiB, more than the 1 MiB allowed"):
            await store.fetch(https_access(https, certificate), ["main"])
        https.answers[:] = [_serve_pack(lying)]
        with pytest.raises(RepositoryUnavailable, match="a pack that can't be read"):
            await store.fetch(https_access(https, certificate), ["main"])


async def test_a_delta_that_grows_to_a_gigabyte_is_refused(
    https: HttpsServer, certificate: Certificate, store: GitStore
) -> None:
    delta = b"\x05" + b"\x80\x80\x80\x80\x04" + b"\x05hello"
    pack = _pack_of(7, len(delta), b"2" * 20 + zlib.compress(delta))
    https.answers.append(_serve_pack(pack))

    with pytest.raises(RepositoryTooLarge, match="an object of 1024 MiB"):
        await store.fetch(https_access(https, certificate), ["main"])


async def test_a_pack_of_garbage_is_the_servers_fault_and_the_clone_stays(
    served: Repository, https: HttpsServer, certificate: Certificate, store: GitStore, tmp_path: Path
) -> None:
    served.commit({"app/a.yaml": manifest("one")})
    access = https_access(https, certificate)
    await store.fetch(access, ["main"])
    for pack in (_pack_of(3, 10, zlib.compress(b"0123456789")), b"PACK garbage", b"x" * 100):
        https.answers[:] = [_serve_pack(pack)]
        with pytest.raises(RepositoryUnavailable, match="can't be read"):
            await store.fetch(access, ["main"])
    https.answers.clear()

    assert await store.fetch(access, ["main"])
    assert not list((tmp_path / "store").rglob("*.damaged"))


async def test_more_bytes_than_allowed_end_the_fetch(
    served: Repository, https: HttpsServer, certificate: Certificate, tmp_path: Path
) -> None:
    import random

    served.commit({"app/big.bin": random.Random(1).randbytes(300_000)})
    async with GitStore(tmp_path / "small", fetch_limits=FetchLimits(max_received_bytes=100_000)) as store:
        for access in (https_access(https, certificate), RepositoryAccess(served.url)):
            with pytest.raises(RepositoryTooLarge, match="sent more than"):
                await store.fetch(access, ["main"])


async def test_refs_without_end_end_the_fetch(
    https: HttpsServer, certificate: Certificate, tmp_path: Path
) -> None:
    def endless(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "application/x-git-upload-pack-advertisement")])
        yield pkt_line(b"# service=git-upload-pack\n") + b"0000"
        number = 0
        while True:
            number += 1
            yield pkt_line(b"1" * 40 + b" refs/heads/b%d\0side-band-64k\n" % number) * 50

    https.answers.append(endless)
    async with GitStore(tmp_path / "small", fetch_limits=FetchLimits(max_received_bytes=500_000)) as store:
        with pytest.raises(RepositoryTooLarge, match="sent more than"):
            await store.fetch(https_access(https, certificate), ["main"])


async def test_the_username_in_a_url_is_used_and_a_password_in_it_refused(
    served: Repository, https: HttpsServer, certificate: Certificate, store: GitStore
) -> None:
    commit = served.commit({"app/a.yaml": manifest("one")})
    access = https_access(https, certificate)
    with_user = replace(access, url=access.url.replace("://", f"://{USERNAME}@"), username="")
    with_password = replace(access, url=access.url.replace("://", f"://{USERNAME}:url-canary@"))

    assert await store.fetch(with_user, ["main"]) == {"main": commit}
    with pytest.raises(AddressRefused, match="holds a password") as refused:
        await store.fetch(with_password, ["main"])
    assert "canary" not in str(refused.value)


async def test_a_disk_that_is_nearly_full_is_left_to_others(
    served: Repository, https: HttpsServer, certificate: Certificate, tmp_path: Path
) -> None:
    served.commit({"app/a.yaml": "a: 1"})
    async with GitStore(tmp_path / "store", keeps_free_bytes=1 << 60) as store:
        with pytest.raises(
            RepositoryUnavailable, match=r"the disk is nearly full, and its last \d+ MiB are kept"
        ):
            await store.fetch(https_access(https, certificate), ["main"])
    assert https.requests.lines == []
