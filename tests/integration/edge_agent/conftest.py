"""A cluster to test against: the stand-in, or with `OUTRIDER_TEST_KUBECONFIG` a real one."""

from __future__ import annotations

import contextlib
import os
import uuid
from typing import TYPE_CHECKING

import pytest

from edge_agent.applications import Settings
from edge_agent.cluster import Access, Cluster, Key
from outrider.backoff import Backoff
from outrider_playground.kubernetes import SimulatedCluster

from .site import NAMESPACE, Agent, Site, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

REAL = os.environ.get("OUTRIDER_TEST_KUBECONFIG")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A cluster with a namespace of the test's own."""
    async with contextlib.AsyncExitStack() as stack:
        simulated = None
        path = REAL
        if path is None:
            simulated = await stack.enter_async_context(SimulatedCluster())
            path = str(simulated.write_kubeconfig(tmp_path / "kubeconfig"))
        access = Access(path)
        cluster = await stack.enter_async_context(Cluster(access))
        namespace = f"outrider-test-{uuid.uuid4().hex[:10]}"
        await cluster.apply(
            NAMESPACE,
            Key("", "Namespace", "", namespace),
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        )
        found = Site(access, cluster, namespace, simulated)
        yield found
        if simulated is None:
            await found.delete(NAMESPACE, namespace, "")


@pytest.fixture
def simulated(site: Site) -> SimulatedCluster:
    """The stand-in behind the site, for faults that a real cluster can't be asked for."""
    if site.simulated is None:
        pytest.skip("needs faults that only the stand-in can inject")
    return site.simulated


@pytest.fixture
def settings() -> Settings:
    """Patience scaled down."""
    return Settings(grace_s=0.3, api_retry=Backoff(0.02, 0.2), unwatched_s=0.5, wave_delay_s=0.0)


@pytest.fixture
async def agent(site: Site, settings: Settings) -> AsyncIterator[Agent]:
    """An agent's Kubernetes side at work on the site."""
    async with running(site, settings) as found:
        yield found


@pytest.fixture
def app() -> str:
    """A name that no other test uses, on a cluster that they may share."""
    return f"till-{uuid.uuid4().hex[:8]}"
