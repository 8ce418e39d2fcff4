import pytest

from outrider.rendering.charts.registry import same_domain


@pytest.mark.parametrize(
    ("host", "registry", "same"),
    [
        ("ghcr.io", "ghcr.io", True),
        ("auth.docker.io", "registry-1.docker.io", True),
        ("gitlab.example.com", "registry.gitlab.example.com", True),
        ("gitlab.com", "registry.gitlab.com", True),
        ("auth.registry.example.com", "registry.example.com", True),
        ("evil.net", "registry.example.com", False),
        ("evil.com", "example.com", False),
        ("evil.co.uk", "example.co.uk", False),
        ("notexample.com", "registry.example.com", False),
        ("evil.io", "docker.io", False),
    ],
)
def test_a_token_service_belongs_to_a_registry_by_its_domain(host: str, registry: str, same: bool) -> None:
    assert same_domain(host, registry) is same
