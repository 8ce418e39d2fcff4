"""A site and its hub, as people at either end type it: a file in place of a link, and a hold that the hub is told of."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.integration.cli.conftest import Outrider
from tests.integration.cli.hub_process import WITHIN_S, up
from tests.integration.cli.test_whole_path import DEPLOYMENT, application
from tests.integration.rendering.repositories import Repository

from outrider_playground.kubernetes import SimulatedCluster
from outrider_playground.waiting import eventually

# Agents here are processes of their own, whose log goes to a file.
NOWHERE = "tls://localhost:1"


@asynccontextmanager
async def agent(folder: Path, servers: str = "") -> AsyncIterator[None]:
    """Run the agent of shop1 by `outrider agent`; `servers`: where it looks for the hub, if not where its credentials say."""
    environment = {**os.environ, **({"OUTRIDER_SERVERS": servers} if servers else {})}
    with (folder / "agent.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "outrider_cli", "agent", "--credentials", folder / "shop1.creds",
            "--kubeconfig", folder / "kubeconfig", "--state", folder / "replica", stderr=log, env=environment,
        )  # fmt: skip
    try:
        await eventually((folder / "replica" / "agent.sock").is_socket, WITHIN_S)
        yield
    finally:
        process.terminate()
        await process.wait()


def image(cluster: SimulatedCluster) -> str:
    found = cluster.get("Deployment", "web", "shop", "apps/v1")
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"]) if found else ""


async def exported(state: Path, cluster: str, file: Path) -> tuple[int | None, str]:
    """Run `outrider bundle export CLUSTER > FILE`."""
    with file.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "outrider_cli", "bundle", "export", cluster, "--state", state, stdout=out,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_a_cluster_without_a_link_runs_what_a_file_brings_and_a_link_that_comes_later_agrees(
    outrider: Outrider, tmp_path: Path
) -> None:
    repository, state, stick = Repository(tmp_path / "shops.git"), tmp_path / "hub", tmp_path / "stick"
    repository.commit({"web/deployment.yaml": DEPLOYMENT})
    site = ("--state", tmp_path / "replica")
    async with SimulatedCluster() as cluster:
        cluster.write_kubeconfig(tmp_path / "kubeconfig")
        with up(state, "--local-repositories", "--poll-interval", 3600):

            async def done(*arguments: object, stdin: bytes = b"") -> str:
                ended = await outrider(*arguments, "--state", state, stdin=stdin)
                assert ended.status == 0, (
                    arguments,
                    ended.stderr,
                    (tmp_path / "agent.log").read_text()[-2000:],
                )
                return ended.stdout

            (tmp_path / "agent.log").touch()
            await done("cluster", "add", "shop1", "--credentials-only", "--out", tmp_path / "shop1.creds")
            assert (await exported(state, "shop1", stick))[0] == 1
            await done("app", "apply", "-f", "-", stdin=application(repository.url))

            async def is_exported() -> bool:
                return (await exported(state, "shop1", stick))[0] == 0

            await eventually(is_exported, WITHIN_S)
            async with agent(tmp_path, NOWHERE):
                ended = await outrider("agent", "import", *site, stick)
                assert ended.status == 0, ended
                assert "web          new" in ended.stdout
                await eventually(lambda: image(cluster) == "web:1", WITHIN_S)

                second = repository.commit({"web/deployment.yaml": DEPLOYMENT.replace("web:1", "web:2")})
                await done("repo", "refresh", repository.url)
                whole = tmp_path / "whole.export"

                async def is_newer() -> bool:
                    await done("bundle", "export", "shop1", "--out", whole)
                    found = json.loads(await done("app", "get", "web", "-o", "json"))
                    return bool(found["desired"]["revision"] == second)

                await eventually(is_newer, WITHIN_S)
                await done("bundle", "export", "shop1", "--out", whole)
                assert whole.stat().st_mode & 0o777 == 0o600
                ended = await outrider("agent", "import", *site, whole)
                assert "web          updated" in ended.stdout, ended
                await eventually(lambda: image(cluster) == "web:2", WITHIN_S)
                older = await outrider("agent", "import", *site, stick)
                assert older.status == 1
                assert "there is nothing newer in it" in older.stderr

            before = (tmp_path / "agent.log").read_text().count("desired accepted")
            assert before == 2
            async with agent(tmp_path):
                await done("app", "wait", "web", "--synced", "--healthy", "--timeout", 30)
                log = (tmp_path / "agent.log").read_text()
                assert "in step with the hub" in log
                assert log.count("desired accepted") == before, "nothing was sent again"


async def test_a_hold_of_the_site_is_seen_at_the_hub_and_only_what_is_urgent_goes_through(
    outrider: Outrider, tmp_path: Path
) -> None:
    repository, state = Repository(tmp_path / "shops.git"), tmp_path / "hub"
    repository.commit({"web/deployment.yaml": DEPLOYMENT})
    site = ("--state", tmp_path / "replica")
    async with SimulatedCluster() as cluster:
        cluster.write_kubeconfig(tmp_path / "kubeconfig")
        with up(state, "--local-repositories", "--poll-interval", 3600):

            async def done(*arguments: object, stdin: bytes = b"", status: int = 0) -> str:
                ended = await outrider(*arguments, "--state", state, stdin=stdin)
                assert ended.status == status, (
                    arguments,
                    ended,
                    (tmp_path / "agent.log").read_text()[-2000:],
                )
                return ended.stdout + ended.stderr

            await done("cluster", "add", "shop1", "--credentials-only", "--out", tmp_path / "shop1.creds")
            async with asyncio.timeout(2 * WITHIN_S), agent(tmp_path):
                await done("app", "apply", "-f", "-", stdin=application(repository.url))
                await done("app", "wait", "web", "--timeout", 30)
                held = await outrider(
                    "agent", "hold", *site, "--reason", "stocktaking", "--for", "4h", "--as", "anna"
                )
                assert held.status == 0, held
                repository.commit({"web/deployment.yaml": DEPLOYMENT.replace("web:1", "web:2")})
                await done("repo", "refresh", repository.url)
                while "a sync waits: it is held by anna" not in (shown := await done("app", "get", "web")):
                    pass
                assert "stocktaking" in shown
                assert "the whole cluster, by anna until" in await done("cluster", "get", "shop1")
                assert "HOLD" in await done("status")
                refused = await done("app", "sync", "web", status=1)
                assert "held by anna" in refused
                assert "`outrider app sync web --urgent` goes through it" in refused
                assert image(cluster) == "web:1"
                assert "Succeeded" in await done("app", "sync", "web", "--urgent", "--wait")
                assert image(cluster) == "web:2"
                told = await done("app", "sync", "web", "--as", "site:anna", "--urgent", status=1)
                assert "site: is how histories tell who asked on the site" in told

                urgent = json.loads(application(repository.url))
                urgent["metadata"]["annotations"] = {"outrider.dev/urgent": "true"}
                await done("app", "apply", "-f", "-", stdin=json.dumps(urgent).encode())
                repository.commit({"web/deployment.yaml": DEPLOYMENT.replace("web:1", "web:3")})
                await done("repo", "refresh", repository.url)
                await eventually(lambda: image(cluster) == "web:3", WITHIN_S)
                assert (await outrider("agent", "release", *site)).status == 0
                while "HOLD" in await done("status"):
                    pass
