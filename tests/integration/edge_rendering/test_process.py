"""The process that renders may die at any moment, and is never more than it needs to be."""

import asyncio
import os
import random
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.integration.rendering.repositories import Repository
from tests.integration.rendering.servers import SshServer

from edge_agent.rendering import process
from outrider.names import AppName
from outrider_playground.kubernetes import SimulatedCluster
from outrider_playground.waiting import eventually

from .site import QUICK, Site, config_map, running

FILES = {"till/a.yaml": config_map("a")}


async def killed(site: Site) -> int:
    """Kill the process as the kernel does that has no memory left; return which it was."""
    await eventually(lambda: bool(site.renderer.pid))
    pid = site.renderer.pid
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: site.renderer.pid != pid)
    return pid


async def test_a_process_that_was_killed_is_started_again_and_nothing_is_lost(
    site: Site, served: Repository, url: str
) -> None:
    site.want("till", {"repoURL": url, "path": "till"})
    await site.at(served.commit(FILES))
    await killed(site)
    newest = served.commit({"till/b.yaml": config_map("b")})
    await site.look()
    assert (site.revision(), site.error()) == (newest, "")


async def test_a_process_that_is_killed_again_and_again_while_commits_flow_ends_in_step(
    tmp_path: Path, cluster: SimulatedCluster, served: Repository, url: str
) -> None:
    dice = random.Random(11)
    commit = served.commit(FILES)
    async with running(tmp_path / "site", cluster, replace(QUICK, poll_interval_s=0.05)) as site:
        for name in ("till", "menu"):
            site.want(name, {"repoURL": url, "path": "till"})
        for number in range(12):
            # The instant is the point: anywhere between a start, a fetch, a rendering and an answer.
            await asyncio.sleep(dice.uniform(0, 0.4))
            if site.renderer.pid:
                os.kill(site.renderer.pid, signal.SIGKILL)
            commit = served.commit({"till/a.yaml": config_map(f"a{number}")})
        for name in ("till", "menu"):
            await site.at(commit, name)


async def test_a_process_that_never_lasts_is_reported_and_what_runs_stays(
    site: Site, served: Repository, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.want("till", {"repoURL": url, "path": "till"})
    commit = served.commit(FILES)
    await site.at(commit)
    monkeypatch.setattr(process, "MODULE", "this_is_no_module")
    await killed(site)
    site.rendering.places.look(site.rendering.places.all()[0].place, 0)
    await eventually(lambda: "RendererUnavailable" in site.conditions, 30)
    assert "ends again and again: status 1" in site.conditions["RendererUnavailable"]
    assert site.revision() == commit
    monkeypatch.undo()
    await eventually(lambda: "RendererUnavailable" not in site.conditions, 30)


async def test_an_agent_without_what_renders_says_so(
    site: Site, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "NEEDED", ("dulwich", "not_in_this_image"))
    site.want("till", {"repoURL": url, "path": "till"})
    await site.until(site.error)
    assert "this agent can't render: not_in_this_image is not installed" in site.error()
    assert "not_in_this_image" in site.conditions["RendererUnavailable"]
    assert site.renderer.pid == 0


async def test_the_process_ends_with_the_agent_and_its_workers_with_it(
    tmp_path: Path, cluster: SimulatedCluster, served: Repository, url: str
) -> None:
    commit = served.commit(FILES)
    async with running(tmp_path / "site", cluster) as site:
        site.want("till", {"repoURL": url, "path": "till"})
        await site.at(commit)
        pids = [site.renderer.pid, *children(site.renderer.pid)]
        assert len(pids) > 1
    await eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


async def test_a_process_that_answers_nonsense_is_ended_and_asked_again(
    site: Site, served: Repository, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = served.commit(FILES)
    monkeypatch.setattr(process, "ANSWER_MAX_BYTES", 8)
    site.want("till", {"repoURL": url, "path": "till"})
    await eventually(lambda: site.renderer.deaths > 1)
    monkeypatch.undo()
    await site.at(commit)


def children(pid: int) -> list[int]:
    found: list[Any] = (Path("/proc") / str(pid) / "task" / str(pid) / "children").read_text().split()
    return [int(child) for child in found]


async def test_clones_of_repositories_that_nobody_wants_any_more_are_removed(
    tmp_path: Path, cluster: SimulatedCluster, served: Repository, url: str, ssh: SshServer
) -> None:
    commit = served.commit(FILES)
    clones = tmp_path / "site" / "rendering" / "clones"
    async with running(tmp_path / "site", cluster) as site:
        site.want("till", {"repoURL": url, "path": "till"})
        site.want("menu", {"repoURL": ssh.url("team/app.git"), "path": "till"})
        for app in ("till", "menu"):
            await site.at(commit, app)
        assert len(list(clones.iterdir())) == 2
        site.accept("menu", None)
        site.rendering.forget(AppName("menu"))
        await site.look()
        assert [(folder / "url").read_text().strip() for folder in clones.iterdir()] == [url]
        site.accept("till", None)
    async with running(tmp_path / "site", cluster) as site:
        await eventually(lambda: not clones.exists())
