"""Charts of Helm repositories and OCI registries: which version is meant, fetched within bounds, kept by what it holds.

Helm's own library could fetch them too, but not under our rules: see docs/decisions/0009-chart-puller.md.
"""

from outrider.rendering.charts.reference import Head, Wanted
from outrider.rendering.charts.store import ChartStore

__all__ = ["ChartStore", "Head", "Wanted"]
