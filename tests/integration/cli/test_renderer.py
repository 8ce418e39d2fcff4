"""A private Git server, a pool, and its renderer, by the commands that a new user types."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.integration.cli.conftest import Outrider
from tests.integration.cli.hub_process import WITHIN_S, up
from tests.integration.rendering.repositories import Repository
from tests.integration.rendering.servers import (
    PASSWORD,
    USERNAME,
    HttpsServer,
    https_server,
    make_certificate,
)

from outrider_playground.waiting import eventually

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {text: '%s'}\n"


def application(url: str) -> bytes:
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web"},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "path": "web", "targetRevision": "main"},
            "destination": {"name": "shop1", "namespace": "shop"},
        },
    }
    return json.dumps(manifest).encode()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "served" / "shops.git")
    made.commit({"web/config.yaml": CONFIG % 1})
    return made


@pytest.fixture
def server(repository: Repository, tmp_path: Path) -> Iterator[HttpsServer]:
    certificate = make_certificate(tmp_path)
    (tmp_path / "ca.pem").write_text(certificate.pem)
    with https_server(tmp_path / "served", certificate, password=PASSWORD) as running:
        yield running


@asynccontextmanager
async def renderer(
    folder: Path, credentials: Path, *options: object
) -> AsyncIterator[asyncio.subprocess.Process]:
    with (folder / "renderer.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "outrider_cli", "renderer", "--credentials", credentials,
            "--state", folder / "clones", "--poll-interval", "3600", *map(str, options), stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def test_a_commit_in_a_private_repository_reaches_the_hub_whoever_is_killed_meanwhile(
    outrider: Outrider, repository: Repository, server: HttpsServer, tmp_path: Path
) -> None:
    state, credentials = tmp_path / "hub", tmp_path / "berlin.creds"
    url = f"{server.url}/shops.git"
    with up(state, "--poll-interval", 3600) as hub:

        async def done(*arguments: object, stdin: bytes = b"") -> str:
            ended = await outrider(*arguments, "--state", state, stdin=stdin)
            log = tmp_path / "renderer.log"
            said = log.read_text()[-3000:] if log.exists() else ""
            assert ended.status == 0, (arguments, ended.stderr, said, hub.log.read_text()[-3000:])
            return ended.stdout

        async def refreshed_to(revision: str) -> bool:
            ended = await outrider("repo", "refresh", url, "--state", state)
            return revision in ended.stdout

        async def shows(revision: str, *words: str) -> bool:
            shown = await done("app", "get", "web")
            return revision[:7] in shown and all(word in shown for word in words)

        await done("cluster", "add", "shop1", "--credentials-only")
        refused = await outrider("repo", "add", url, "--pool", "berlin", "--state", state)
        assert "`outrider pool add berlin`" in refused.stderr
        await done("pool", "add", "berlin", "--out", credentials)
        access = ("--username", USERNAME, "--password-stdin", "--ca", tmp_path / "ca.pem")
        await done("repo", "add", url, "--pool", "berlin", *access, stdin=PASSWORD.encode())
        applied = await outrider("app", "apply", "-f", "-", "--state", state, stdin=application(url))
        assert "which has never been connected" in applied.stderr
        async with asyncio.timeout(3 * WITHIN_S):
            async with renderer(tmp_path, credentials) as first:
                revision = repository.commit({"web/config.yaml": CONFIG % 2})
                await eventually(lambda: refreshed_to(revision), WITHIN_S)
                await eventually(lambda: shows(revision), WITHIN_S)
                assert "RendererOffline" not in await done("app", "get", "web")
                assert "online" in await done("pool", "list")
                first.kill()
                await first.wait()
            revision = repository.commit({"web/config.yaml": CONFIG % 3})
            async with renderer(tmp_path, credentials) as second:
                await eventually(lambda: refreshed_to(revision), WITHIN_S)
                os.kill(hub.children()["repo_renderer"], 9)
                revision = repository.commit({"web/config.yaml": CONFIG % 4})
                await eventually(lambda: refreshed_to(revision), WITHIN_S)
                await eventually(lambda: shows(revision), WITHIN_S)
                assert second.returncode is None
                await done("pool", "remove", "berlin", "--force")
                log = tmp_path / "renderer.log"
                await eventually(lambda: "Authorization Violation" in log.read_text(), WITHIN_S)
                await eventually(lambda: shows(revision, "RendererOffline", "does not exist"), WITHIN_S)
        # No secret is in what the hub and the renderer said, nor in what the hub keeps.
        for text in (log.read_text(), hub.log.read_text()):
            assert PASSWORD not in text
        assert "repo_renderer" in hub.children()
    for file in (state / "nats" / "jetstream").rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes()


async def test_a_renderer_says_what_is_wrong_before_it_begins(
    outrider: Outrider, services: object, tmp_path: Path
) -> None:
    pool, cluster = tmp_path / "berlin.creds", tmp_path / "shop1.creds"
    await outrider("pool", "add", "berlin", "--out", pool)
    await outrider("cluster", "add", "shop1", "--credentials-only", "--out", cluster)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "trust.json").touch()
    for options, said in (
        (["--credentials", cluster], "the identity of cluster 'shop1', not a pool's"),
        (["--credentials", tmp_path / "nowhere"], "can't read credentials"),
        (["--credentials", pool, "--pool", "rome"], "the identity of pool 'berlin', not of 'rome'"),
        (["--credentials", pool, "--state", tmp_path / "other"], "the folder of a hub"),
    ):
        ended = await outrider("renderer", *options)
        assert (ended.status, said in ended.stderr) == (1, True), ended.stderr


async def test_two_renderers_do_not_share_a_folder(
    outrider: Outrider, services: object, tmp_path: Path
) -> None:
    credentials = tmp_path / "berlin.creds"
    await outrider("pool", "add", "berlin", "--out", credentials)
    log = tmp_path / "renderer.log"
    async with asyncio.timeout(WITHIN_S), renderer(tmp_path, credentials):
        await eventually(lambda: "renderer of a pool started" in log.read_text(), WITHIN_S)
        async with renderer(tmp_path, credentials) as other:
            assert await other.wait() == 2
    assert "is in use by another renderer: give each a folder of its own" in log.read_text()
