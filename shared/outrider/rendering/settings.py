"""How many workers render, and what each rendering may take."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from outrider.rendering.kubeyaml import Bounds
from outrider.rendering.layers import Layer

MIB = 1024 * 1024


def _required() -> frozenset[Layer]:
    if sys.platform == "linux":
        return frozenset({Layer.LIMITS, Layer.PRIVILEGES, Layer.SYSTEM_CALLS})
    return frozenset({Layer.LIMITS})


@dataclass(frozen=True)
class RenderSettings:
    """Settings of a RenderPool."""

    folder: Path
    # Owned by the pool, emptied when it begins. On one file system with the exports, which are moved into it.
    workers: int = field(default_factory=lambda: max(2, os.cpu_count() or 2))
    # For charts, and as many for everything else. They are started as they are needed.
    timeout_s: float = 20.0
    memory_bytes: int = 768 * MIB
    max_output_bytes: int = 64 * MIB
    renderings_per_worker: int = 500
    # Helm's library keeps some memory of each chart; a fresh worker costs about 0.3 s, in the background.
    bounds: Bounds = field(default_factory=Bounds)
    required_layers: frozenset[Layer] = field(default_factory=_required)
    start_timeout_s: float = 30.0
    idle_s: float | None = None
    # A worker that has had nothing to do for this long is ended, and none is started before it is needed. None: they stay.
