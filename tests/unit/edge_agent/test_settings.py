from pathlib import Path

import pytest

from edge_agent.settings import InvalidSetting, Settings
from outrider.bus import BusSettings
from outrider.bus.model import User


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OUTRIDER_CREDENTIALS", str(tmp_path / "shop.creds"))


def test_what_is_not_set_has_its_default() -> None:
    settings = Settings.from_environment()
    assert (settings.link.bytes_per_s, settings.link.bytes_per_day) == (None, None)
    assert (settings.applications.wave_delay_s, settings.applications.sync_timeout_s) == (0.5, 0.0)
    assert settings.time_zone == ""


def test_what_is_set_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("BYTES_PER_SECOND", "1200.5"),
        ("BYTES_PER_DAY", "300000"),
        ("WAVE_DELAY", "0"),
        ("SYNC_TIMEOUT", "900"),
        ("TIME_ZONE", "Europe/Berlin"),
        ("PING", "20"),
    ):
        monkeypatch.setenv(f"OUTRIDER_{name}", value)
    settings = Settings.from_environment()
    assert (settings.link.bytes_per_s, settings.link.bytes_per_day) == (1200.5, 300_000)
    assert (settings.applications.wave_delay_s, settings.applications.sync_timeout_s) == (0.0, 900.0)
    assert settings.time_zone == "Europe/Berlin"


@pytest.mark.parametrize(("ping", "pong_s"), [("", 30), ("20", 20), ("1", 5)])
def test_an_answer_to_a_ping_may_take_until_the_next_but_never_less_than_a_satellite_needs(
    monkeypatch: pytest.MonkeyPatch, ping: str, pong_s: float
) -> None:
    monkeypatch.setenv("OUTRIDER_PING", ping)
    bus = Settings.from_environment().pinging(BusSettings((), lambda: User("", "", "")))
    assert (bus.ping_interval_s, bus.pong_timeout_s) == (float(ping or 110), pong_s)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("OUTRIDER_BYTES_PER_DAY", "lots", "OUTRIDER_BYTES_PER_DAY is 'lots': give a number of bytes"),
        ("OUTRIDER_BYTES_PER_SECOND", "0", "give a number of bytes above 0"),
        ("OUTRIDER_HEARTBEAT", "nan", "give a number of seconds above 0"),
        ("OUTRIDER_WAVE_DELAY", "-1", "give a number of seconds of at least 0"),
        ("OUTRIDER_SYNC_TIMEOUT", "inf", "give a number of seconds of at least 0"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSetting, match=says):
        Settings.from_environment()


def test_without_credentials_it_says_which_file_to_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OUTRIDER_CREDENTIALS")
    with pytest.raises(InvalidSetting, match="name the file made by `outrider cluster add`"):
        Settings.from_environment()
