"""What a measurement is: a name, a value, its unit and the conditions under which it was taken."""

import json
import os
import platform
import sys
from dataclasses import dataclass, field
from typing import Any

Value = float | int | dict[str, float | int]


@dataclass(frozen=True)
class Measurement:
    """One measured number, or several named ones."""

    name: str
    value: Value
    unit: str
    conditions: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> str:
        """Return the one line that a benchmark prints."""
        found = {"name": self.name, "value": self.value, "unit": self.unit}
        return json.dumps({**found, "conditions": {**machine(), **self.conditions}})


def machine() -> dict[str, Any]:
    """Return what every number depends on."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
    }


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def spread(values: list[float], digits: int = 3) -> dict[str, float | int]:
    """Return p50, p99, max and the count."""
    return {
        "p50": round(percentile(values, 0.50), digits),
        "p99": round(percentile(values, 0.99), digits),
        "max": round(max(values), digits),
        "count": len(values),
    }


def resident_mib(pid: int) -> float:
    """Return a process's resident memory in MiB."""
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    return round(int(line.split()[1]) / 1024, 1)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return ticks / float(os.sysconf("SC_CLK_TCK"))
