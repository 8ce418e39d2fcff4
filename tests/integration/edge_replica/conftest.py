from tests.integration.edge_local.conftest import _log_apart, site  # noqa: F401  an agent without a link
