import re
from pathlib import Path

import pytest

BUS_CONFIG = Path(__file__).parents[3] / "bus-config"
FILES = sorted(BUS_CONFIG.rglob("*.conf"))
RUNNABLE = [path for path in FILES if path.parent == BUS_CONFIG]
SETTING = re.compile(r"^\s*[a-z_]+:")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_setting_has_its_reason_on_the_line_above(path: Path) -> None:
    above = ""
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if SETTING.match(line):
            # Settings that follow one another share the reason above the first.
            assert above.lstrip().startswith("#") or SETTING.match(above), (
                f"{path.name}:{number}: {line.strip()}"
            )
        above = line


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_that_opens_the_bus_without_identity_is_configured(path: Path) -> None:
    settings = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    for forbidden in (
        "no_auth_user",
        "no_tls",
        "mqtt",
        "gateway",
        "insecure",
        "password",
        "token",
        "allow_responses",
        "no_system_account",
        "http_port",
        "prof_port",
    ):
        assert not any(forbidden in line for line in settings), forbidden


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_monitor_listens_on_loopback_alone(path: Path) -> None:
    listens = re.findall(r"^\s*https?:\s*(.*)$", path.read_text(), re.MULTILINE)
    assert set(listens) <= {'"127.0.0.1:8222"'}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_tls_block_asks_for_tls_1_3(path: Path) -> None:
    blocks = re.findall(r"\btls \{(.*?)\n\s*\}", path.read_text(), re.DOTALL)
    assert all('min_version: "1.3"' in block for block in blocks)


def test_no_deployment_opens_a_leaf_port() -> None:
    for path in RUNNABLE:
        assert "leaf-listener" not in re.findall(r"^include.*$", path.read_text(), re.MULTILINE)


def test_hubs_differ_only_in_what_they_say_themselves() -> None:
    shared = {"parts/identity.conf", "parts/tls.conf", "parts/limits.conf", "parts/monitor.conf"}
    for name in ("one-node.conf", "three-nodes.conf"):
        included = set(re.findall(r"include \./(\S+)", (BUS_CONFIG / name).read_text()))
        assert included == shared | {"parts/storage.conf"}, name
