"""Durations as Go writes them (`time.ParseDuration`), and as Argo CD takes them. Pure."""

from __future__ import annotations

import re
from typing import Any

_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)")
_UNIT_S = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0,
}  # fmt: skip


def go_duration_s(text: str) -> float:
    """Read a Go duration (`1h30m`, `1.5h`) in seconds. Raises `ValueError` for anything else, days included."""
    seconds = _sum(text)
    if seconds is None or "d" in text:
        raise ValueError(f"{text!r} is no duration: write it as 1h30m")
    return seconds


def long_duration_s(text: str) -> float:
    """Read a duration above 0 in seconds, days allowed (`2d`, `1d12h`). Raises `ValueError` for anything else."""
    seconds = _sum(text)
    if not seconds:
        raise ValueError(f"{text[:40]!r} is no duration: write it as 4h, 90m or 2d")
    return seconds


def duration_s(value: Any, default_s: float) -> float:
    """Read a duration as Argo CD's retry takes it: `90`, `1m30s`, `1d`. Return the default where there is none."""
    text = str(value if value is not None else "").strip()
    if text.isdigit():
        return float(text)
    seconds = _sum(text)
    return default_s if seconds is None else seconds


def _sum(text: str) -> float | None:
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts)
