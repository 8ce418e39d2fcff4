import importlib

import pytest


@pytest.mark.parametrize(
    "package",
    [
        "outrider",
        "repo_renderer",
        "app_registry",
        "status_aggregator",
        "edge_agent",
        "outrider_cli",
        "outrider_playground",
    ],
)
def test_every_source_root_is_importable(package: str) -> None:
    assert importlib.import_module(package).__doc__
