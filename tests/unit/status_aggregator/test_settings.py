import pytest

from status_aggregator.settings import Address, InvalidSetting, Settings

REQUIRED = {"OUTRIDER_CREDENTIALS": "/etc/outrider/aggregator.creds"}


def test_metrics_are_served_on_this_machine_only_unless_asked() -> None:
    assert Settings.from_environment(REQUIRED).metrics == Address("127.0.0.1", 9464)
    assert Settings.from_environment({**REQUIRED, "OUTRIDER_METRICS": "[::]:80"}).metrics == Address("::", 80)
    assert Settings.from_environment({**REQUIRED, "OUTRIDER_METRICS": "off"}).metrics is None


def test_what_is_set_is_taken() -> None:
    settings = Settings.from_environment(
        {
            **REQUIRED,
            "OUTRIDER_SERVERS": "tls://a:1, tls://b:2",
            "OUTRIDER_HEARTBEAT": "60",
            "OUTRIDER_LEASE": "3",
            "OUTRIDER_INSTANCE": "two",
        }
    )
    assert settings.servers == ("tls://a:1", "tls://b:2")
    assert (settings.freshness.word_holds_ms, settings.lease_s, settings.instance) == (120_000, 3.0, "two")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("OUTRIDER_CREDENTIALS", "", "OUTRIDER_CREDENTIALS is not set"),
        ("OUTRIDER_METRICS", "here", "OUTRIDER_METRICS must be host:port or off, not 'here'"),
        ("OUTRIDER_METRICS", "a:99999", "OUTRIDER_METRICS must be host:port or off"),
        ("OUTRIDER_HEARTBEAT", "soon", "OUTRIDER_HEARTBEAT must be a number of seconds above 0, not 'soon'"),
        ("OUTRIDER_LEASE", "-1", "OUTRIDER_LEASE must be a number of seconds above 0"),
        ("OUTRIDER_LEASE", "nan", "OUTRIDER_LEASE must be a number of seconds above 0"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str, sentence: str) -> None:
    with pytest.raises(InvalidSetting, match=sentence):
        Settings.from_environment({**REQUIRED, name: value})
