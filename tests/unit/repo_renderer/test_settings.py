from datetime import UTC, datetime
from pathlib import Path

import pytest

from outrider.bus.model import User
from outrider.identity.accounts import Trust, cluster_user_jwt, pool_user_jwt
from outrider.identity.credentials import Credentials, load
from outrider.identity.keys import generate
from outrider.identity.sealing import generate_key
from repo_renderer import folder
from repo_renderer.settings import InvalidSetting, Settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def trust() -> Trust:
    return Trust.generate()


def written(path: Path, trust: Trust, name: str, *, is_pool: bool) -> Path:
    key = generate("user")
    if is_pool:
        jwt = pool_user_jwt(
            name, key.public, signing_key=trust.fleet_pools, fleet_account=trust.fleet.public, now=NOW
        )
    elif name == "renderer":
        jwt = trust.hub_user_jwt("renderer", key.public, NOW)
    else:
        jwt = cluster_user_jwt(
            name, key.public, signing_key=trust.fleet_clusters, fleet_account=trust.fleet.public, now=NOW
        )
    sealing_key = generate_key() if is_pool else None
    Credentials(User(name, jwt, key.seed), ("tls://hub:4222",), None, (b"k" * 32,), sealing_key).write(path)
    return path


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in ("POOL", "KEYS", "REPLICA", "GIT_HOSTS", "SERVERS", "STATE"):
        monkeypatch.delenv(f"OUTRIDER_{name}", raising=False)
    monkeypatch.setenv("OUTRIDER_CREDENTIALS", str(tmp_path / "some.creds"))
    return monkeypatch


def test_a_pools_credentials_say_which_pool_and_hold_the_key_of_its_repositories(
    tmp_path: Path, trust: Trust
) -> None:
    path = written(tmp_path / "some.creds", trust, "berlin", is_pool=True)
    settings = Settings.from_environment()
    assert (settings.pool, settings.is_delegated) == ("berlin", True)
    assert settings.sealing_key == load(path).sealing_key is not None
    assert settings.replica


def test_a_pool_that_the_credentials_are_not_for_is_refused(
    tmp_path: Path, trust: Trust, environment: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "some.creds", trust, "berlin", is_pool=True)
    environment.setenv("OUTRIDER_POOL", "rome")
    with pytest.raises(InvalidSetting, match="holds the identity of renderers of pool 'berlin'"):
        Settings.from_environment()
    environment.setenv("OUTRIDER_POOL", "berlin")
    assert Settings.from_environment().pool == "berlin"


def test_the_hubs_own_renderer_serves_no_pool_but_its_own(
    tmp_path: Path, trust: Trust, environment: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "some.creds", trust, "renderer", is_pool=False)
    settings = Settings.from_environment()
    assert (settings.pool, settings.is_delegated, settings.sealing_key) == ("default", False, None)
    environment.setenv("OUTRIDER_POOL", "berlin")
    with pytest.raises(InvalidSetting, match="`outrider pool add` makes one"):
        Settings.from_environment()


def test_the_credentials_of_a_cluster_of_that_name_are_no_pools(tmp_path: Path, trust: Trust) -> None:
    pool = load(written(tmp_path / "pool.creds", trust, "berlin", is_pool=True))
    cluster = load(written(tmp_path / "cluster.creds", trust, "berlin", is_pool=False))
    assert (pool.user.is_pool, pool.user.inbox) == (True, "_INBOX_POOL_berlin")
    assert (cluster.user.is_pool, cluster.user.inbox) == (False, "_INBOX_berlin")


def test_the_key_of_pools_is_the_same_for_a_hub_of_any_age_and_none_of_its_others(trust: Trust) -> None:
    again = Trust(**trust.__dict__)
    assert again.fleet_pools.public == trust.fleet_pools.public
    assert trust.fleet_pools.seed != trust.fleet_clusters.seed
    assert Trust.generate().fleet_pools.public != trust.fleet_pools.public


def test_a_folder_has_one_renderer_at_a_time(tmp_path: Path) -> None:
    with folder.held(tmp_path / "clones"), pytest.raises(InvalidSetting, match="in use by another"):  # noqa: SIM117
        with folder.held(tmp_path / "clones"):
            pass
    with folder.held(tmp_path / "clones"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(InvalidSetting, match="can't use the folder"), folder.held(tmp_path / "file" / "x"):
        pass
