"""The commands as a new user types them, with a real hub, a real agent and a repository; the cluster is a stand-in."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from tests.integration.cli.conftest import Ended, Outrider
from tests.integration.cli.hub_process import WITHIN_S, up
from tests.integration.rendering.repositories import Repository

from outrider_playground.kubernetes import SimulatedCluster

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
"""


def application(url: str) -> bytes:
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web"},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "path": "web", "targetRevision": "main"},
            "destination": {"name": "shop1", "namespace": "shop"},
            "syncPolicy": {"automated": {"prune": True}, "syncOptions": ["CreateNamespace=true"]},
        },
    }
    return json.dumps(manifest).encode()


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SimulatedCluster]:
    async with SimulatedCluster() as cluster:
        cluster.write_kubeconfig(tmp_path / "kubeconfig")
        yield cluster


@asynccontextmanager
async def agent(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    with (folder / "agent.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "outrider_cli", "agent", "--credentials", folder / "shop1.creds",
            "--kubeconfig", folder / "kubeconfig", "--state", folder / "replica", stderr=log,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def test_a_commit_reaches_a_cluster_by_the_commands_that_a_new_user_types(
    outrider: Outrider, cluster: SimulatedCluster, tmp_path: Path
) -> None:
    repository = Repository(tmp_path / "shops.git")
    first = repository.commit({"web/deployment.yaml": DEPLOYMENT})
    state = tmp_path / "hub"
    with up(state, "--local-repositories", "--poll-interval", 3600):

        async def done(*arguments: object, stdin: bytes = b"") -> str:
            ended = await outrider(*arguments, "--state", state, stdin=stdin)
            assert ended.status == 0, (arguments, ended.stderr, (tmp_path / "agent.log").read_text()[-2000:])
            return ended.stdout

        await done("cluster", "add", "shop1", "--credentials-only", "--out", tmp_path / "shop1.creds")
        async with asyncio.timeout(WITHIN_S), agent(tmp_path) as running:
            await done("app", "apply", "-f", "-", stdin=application(repository.url))
            assert "Healthy" in await done("app", "wait", "web", "--synced", "--healthy", "--timeout", 30)
            shown = await done("app", "get", "web")
            assert "Deployment.apps" in shown
            assert first[:7] in shown

            second = repository.commit({"web/deployment.yaml": DEPLOYMENT.replace("web:1", "web:2")})
            assert second in await done("repo", "refresh", repository.url)
            await done("app", "wait", "web", "--timeout", 30)
            found = json.loads(await done("app", "get", "web", "-o", "json"))
            assert found["status"]["revision"] == second
            assert found["status"]["document"]["summary"]["images"] == ["web:2"]

            assert "1 online" in await done("status")

            running.terminate()
            assert await running.wait() == 0
            stale = await outrider("app", "list", "--state", state)
            while "Healthy as of" not in stale.stdout:
                stale = await outrider("app", "list", "--state", state)
            assert "cluster offline" in stale.stdout

        async with asyncio.timeout(WITHIN_S), agent(tmp_path):
            await done("app", "wait", "web", "--timeout", 30)
            assert await done("app", "delete", "web", "--cascade", "--wait") == "application/web deleted\n"
            assert json.loads(await done("app", "list", "-o", "json")) == []


BESIDE = """
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: shops}
spec:
  sourceRepos: ["*"]
  destinations: [{name: shop*, namespace: "*"}]
  clusterResourceWhitelist: [{group: "", kind: Namespace}]
  syncWindows: [{kind: allow, schedule: "* * * * *", duration: 1h, applications: ["*"]}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm}
data:
  resource.customizations.health.example.com_Till: |
    return {status = "Healthy"}
---
"""


async def test_each_command_does_what_it_says_on_a_real_hub_with_a_real_agent(
    outrider: Outrider, cluster: SimulatedCluster, tmp_path: Path
) -> None:
    repository = Repository(tmp_path / "shops.git")
    first = repository.commit({"web/deployment.yaml": DEPLOYMENT})
    manifest = json.loads(application(repository.url))
    manifest["spec"] |= {"project": "shops", "syncPolicy": {"syncOptions": ["CreateNamespace=true"]}}
    state = tmp_path / "hub"
    deployment = "apps:Deployment:shop/web"
    with up(state, "--local-repositories", "--poll-interval", 3600):

        async def ended(*arguments: object, status: int = 0, stdin: bytes = b"") -> Ended:
            found = await outrider(*arguments, "--state", state, stdin=stdin)
            log = (tmp_path / "agent.log").read_text()[-2000:]
            assert found.status == status, (arguments, found.stdout, found.stderr, log)
            return found

        async def done(*arguments: object, status: int = 0, stdin: bytes = b"") -> str:
            return (await ended(*arguments, status=status, stdin=stdin)).stdout

        (tmp_path / "agent.log").touch()
        await done("cluster", "add", "shop1", "--credentials-only", "--out", tmp_path / "shop1.creds")
        assert "Europe/Berlin" in await done("cluster", "set", "shop1", "--time-zone", "Europe/Berlin")
        async with asyncio.timeout(2 * WITHIN_S), agent(tmp_path):
            # The application first: what it depends on is written before it.
            stream = json.dumps(manifest).encode() + b"\n---\n" + BESIDE.encode()
            applied = await done("app", "apply", "-f", "-", stdin=stream)
            assert applied.splitlines() == [
                "project/shops created", "settings/argocd-cm updated", "application/web created",
            ]  # fmt: skip
            imported = await done("import", "argocd", "-f", "-", "--yes", stdin=stream)
            assert imported.count(" unchanged") == 3

            while "OutOfSync" not in (await outrider("app", "resources", "web", "--state", state)).stdout:
                pass
            missing = await done("app", "diff", "web", status=1)
            assert "=== Deployment.apps shop/web is missing on the cluster ===" in missing
            synced = await done("app", "sync", "web", "--wait", "--as", "anna")
            assert "Succeeded" in synced
            await done("app", "wait", "web", "--timeout", 30)
            assert "anna" in await done("app", "history", "web")
            assert deployment in await done("app", "resources", "web", "-o", "name")
            assert f"{deployment}\n" in await done("app", "tree", "web", "-o", "name")
            assert await done("app", "diff", "web") == "No differences.\n"
            assert "Deployment.apps" in await done("app", "tree", "web", "--orphaned")
            assert "web:1" in await done("app", "manifests", "web", "--live", "--resource", deployment)
            assert "restart" in await done("app", "actions", "list", "web")
            ran = await done("app", "actions", "run", "web", deployment, "restart")
            assert "patched" in ran

            second = repository.commit({"web/deployment.yaml": DEPLOYMENT.replace("web:1", "web:2")})
            assert "web refreshed" in await done("app", "refresh", "web", "--hard")
            while (await outrider("app", "diff", "web", "--state", state)).status == 0:
                pass
            assert "web:2" in await done("app", "diff", "web", "--fields", status=1)
            await done("app", "sync", "web", "--wait")
            newest = json.loads(await done("app", "history", "web", "-o", "json"))["history"][-1]
            assert newest["revision"] == second
            assert "Succeeded" in await done("app", "rollback", "web", "--wait")
            assert "web:1" in await done("app", "manifests", "web", "--live", "--resource", deployment)
            assert (
                json.loads(await done("app", "history", "web", "-o", "json"))["history"][-1]["revision"]
                == first
            )
            again = await done("app", "sync", "web", "--revision", second, "--wait")
            assert "Succeeded" in again
            refused = await ended("app", "terminate", "web", status=1)
            assert refused.stderr.startswith("Error: ")
            await ended("app", "approve", "web", status=1)

            assert "shops" in await done("project", "list")
            assert "* * * * *" in await done("project", "windows", "shops")
            assert "1 applications" in (await ended("project", "delete", "shops", status=1)).stderr
            assert "example.com/Till" in await done("settings", "get")
            assert "settings updated" in await done("settings", "set", "--time-zone", "Europe/Paris")


async def kubectl(folder: Path, *arguments: str, stdin: str) -> tuple[int | None, str, str]:
    program = Path(sys.executable).with_name("kubectl")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        program, "--kubeconfig", folder / "kubeconfig", *arguments, stdin=pipe, stdout=pipe, stderr=pipe,
        env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    stdout, stderr = await process.communicate(stdin.encode())
    return process.returncode, stdout.decode(), stderr.decode()


async def test_the_manifest_of_an_agent_is_taken_by_kubernetes_without_a_warning(
    services: object, outrider: Outrider, cluster: SimulatedCluster, tmp_path: Path
) -> None:
    manifest = (await outrider("cluster", "add", "shop1")).stdout
    # A namespace that is not there yet can't be applied into, not even for show.
    await kubectl(tmp_path, "create", "namespace", "outrider", stdin="")
    for options in (["--dry-run=server"], ["--server-side", "--dry-run=server"], []):
        status, stdout, stderr = await kubectl(tmp_path, "apply", "-f", "-", *options, stdin=manifest)
        assert status == 0, stderr
        assert "Warning: v1" not in stderr
        assert len(stdout.splitlines()) == len(list(yaml.safe_load_all(manifest)))
    found = await kubectl(
        tmp_path, "-n", "outrider", "get", "deployment/outrider-agent", "-o", "name", stdin=""
    )
    assert found[1] == "deployment.apps/outrider-agent\n"
