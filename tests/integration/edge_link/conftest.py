from collections.abc import AsyncIterator
from typing import Any

import pytest

from outrider import subjects
from outrider.bus.objects import Objects
from outrider.tasks import background
from outrider.topology import BUNDLES
from repo_renderer.bundles import Bundles as HubBundles
from repo_renderer.serve_bundles import serve as serve_bundles

from .scripted import ScriptedHub


@pytest.fixture
async def scripted(hub: Any) -> AsyncIterator[ScriptedHub]:
    async with hub.connect("registry") as registry, hub.connect("renderer") as renderer:
        bundles = HubBundles(Objects(renderer, BUNDLES))
        scripted = ScriptedHub(registry, bundles)
        await registry.subscribe(subjects.ALL_RESYNC, scripted.on_resync)
        async with background(serve_bundles(renderer, bundles), name="bundles"):
            await registry.flush()
            yield scripted
