"""The way into kubernetes-asyncio."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

LIGHT = """
import json, sys
from edge_agent.cluster import light
light.configuration(); light.rest_client(); light.in_cluster(); light.kubeconfig()
mine = light.configuration()
left = [name for name in sys.modules if name.partition(".")[0] in ("kubernetes_asyncio", "urllib3")]
models = [m for m in light._private if ".models." in m or ".api." in m]
import kubernetes_asyncio.client
print(json.dumps([left, models, kubernetes_asyncio.client.V1Pod.__name__, mine is light.configuration()]))
"""
WHOLE_FIRST = """
import json, sys
import kubernetes_asyncio.client
from edge_agent.cluster import light
print(json.dumps([light.configuration() is kubernetes_asyncio.client.Configuration, bool(light.kubeconfig())]))
"""


def told(script: str) -> Any:
    # The interpreter of this very test.
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603
    return json.loads(ran.stdout)


def test_kubernetes_asyncio_is_entered_without_its_models_and_can_be_imported_whole_afterwards() -> None:
    left, models, pod, same = told(LIGHT)
    assert left == []
    assert models == []
    assert pod == "V1Pod"
    assert same


def test_kubernetes_asyncio_imported_whole_before_is_used_as_it_is() -> None:
    assert told(WHOLE_FIRST) == [True, True]
