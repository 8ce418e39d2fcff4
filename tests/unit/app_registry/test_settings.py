from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app_registry.settings import InvalidSetting, Settings
from outrider.identity import hub_state

NAMES = (
    "OUTRIDER_CREDENTIALS",
    "OUTRIDER_KEYS",
    "OUTRIDER_SERVERS",
    "OUTRIDER_REPLICA",
    "OUTRIDER_COMMAND_TIMEOUT",
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("hub")
    hub_state.initialise(state, servers=(), hosts=["localhost"], now=datetime(2026, 1, 1, tzinfo=UTC))
    return state / "registry.json"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, keys: Path) -> None:
    monkeypatch.setenv("OUTRIDER_CREDENTIALS", "/a/registry.creds")
    monkeypatch.setenv("OUTRIDER_KEYS", str(keys))
    monkeypatch.setenv("OUTRIDER_SERVERS", "tls://a:1, tls://b:2")
    monkeypatch.setenv("OUTRIDER_COMMAND_TIMEOUT", "3")
    settings = Settings.from_environment()
    assert (settings.credentials, settings.servers) == (Path("/a/registry.creds"), ("tls://a:1", "tls://b:2"))
    assert settings.command_timeout_s == 3
    assert settings.replica
    assert asdict(settings.keys) == asdict(hub_state.RegistryKeys.load(keys))


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "OUTRIDER_CREDENTIALS is not set"),
        ({"OUTRIDER_CREDENTIALS": "a"}, "OUTRIDER_KEYS is not set"),
        ({"OUTRIDER_CREDENTIALS": "a", "OUTRIDER_KEYS": "/nowhere"}, "/nowhere is no registry.json"),
        ({"OUTRIDER_COMMAND_TIMEOUT": "soon"}, "OUTRIDER_COMMAND_TIMEOUT is 'soon'"),
        ({"OUTRIDER_COMMAND_TIMEOUT": "0"}, "above 0"),
        ({"OUTRIDER_COMMAND_TIMEOUT": "nan"}, "above 0"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, keys: Path, environment: dict[str, str], says: str
) -> None:
    given = environment
    if "OUTRIDER_COMMAND_TIMEOUT" in environment:
        given = {"OUTRIDER_CREDENTIALS": "a", "OUTRIDER_KEYS": str(keys), **environment}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSetting, match=says):
        Settings.from_environment()
