"""RESULTS.md: the figures of one run, with their conditions."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HEADER = """\
# Results

Measured by `python -m benchmarks` on {date}, on {machine}. Each figure is one run's; bytes are counted on the link, both
directions, with TLS 1.3, TCP/IPv4 headers and acknowledgements. Limits are what docs and design promise.

| benchmark | measured | unit | conditions |
|---|---|---|---|
"""


def write(path: Path, found: list[dict[str, Any]]) -> None:
    """Write the table."""
    conditions = found[0]["conditions"]
    machine = f"{conditions['cores']} cores, {conditions['platform']}, Python {conditions['python']}"
    lines = [HEADER.format(date=datetime.now(UTC).date().isoformat(), machine=machine)]
    lines += [_row(one) for one in found]
    path.write_text("".join(lines))


def _row(one: dict[str, Any]) -> str:
    value = one["value"]
    shown = (
        ", ".join(f"{name} {number:,}" for name, number in value.items())
        if isinstance(value, dict)
        else f"{value:,}"
    )
    common = ("cores", "python", "platform")
    conditions = ", ".join(f"{name} {what}" for name, what in one["conditions"].items() if name not in common)
    return f"| {one['name']} | {shown} | {one['unit']} | {conditions} |\n"
