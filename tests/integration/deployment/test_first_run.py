"""What first-run.sh does with the real `outrider init`: identity once, and to each service its own part alone."""

import os
import ssl
import stat
import subprocess
import sysconfig
from pathlib import Path

import pytest
from cryptography import x509

SCRIPT = Path(__file__).parents[3] / "docker" / "first-run.sh"
PARTS = {
    "nats": {"auth.conf", "tls/authority.pem", "tls/server.pem", "tls/server-key.pem"},
    "registry": {"registry.json", "credentials/registry.creds"},
    "renderer": {"renderer.json", "credentials/renderer.creds"},
    "aggregator": {"credentials/aggregator.creds"},
    "person": {"credentials/person.creds"},
}


def first_run(folder: Path, **environment: str) -> None:
    subprocess.run(  # noqa: S603 - our own script
        [str(SCRIPT)],
        env={
            "PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}",
            "HOME": str(folder),
            "OUTRIDER_STATE": str(folder / "state"),
            "OUTRIDER_PARTS": str(folder / "parts"),
            **environment,
        },
        check=True,
        timeout=60,
    )


def files(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    # Holds the number of the process that used the folder last.
    found.pop("state/hub.lock", None)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first-run")
    first_run(folder, OUTRIDER_HUB_HOST="hub.example.net", OUTRIDER_NATS_PORT="14222")
    return folder


def test_every_service_gets_its_own_part_and_nothing_else(made: Path) -> None:
    parts = made / "parts"
    assert {part.name: set(files(part)) for part in parts.iterdir()} == PARTS


def test_the_keys_of_the_hub_are_in_no_part_but_the_registrys(made: Path) -> None:
    trust = (made / "state" / "trust.json").read_text()
    seeds = [word for word in trust.replace('"', " ").split() if word.startswith(("SO", "SA"))]
    assert seeds
    for part in PARTS.keys() - {"registry"}:
        text = b"".join(files(made / "parts" / part).values()).decode()
        assert not any(seed in text for seed in seeds), part
    authority_key = (made / "state" / "authority-key.pem").read_bytes()
    assert authority_key not in files(made / "parts").values()


def test_what_is_handed_over_is_readable_by_its_owner_alone(made: Path) -> None:
    for path in (made / "parts").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o400 if path.is_file() else 0o700), path


def test_a_second_run_changes_nothing(made: Path) -> None:
    before = files(made)
    first_run(made, OUTRIDER_HUB_HOST="hub.example.net", OUTRIDER_NATS_PORT="14222")
    assert files(made) == before


def test_the_certificate_is_good_for_edges_and_for_services(made: Path) -> None:
    tls = made / "parts" / "nats" / "tls"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / "server.pem", tls / "server-key.pem")
    certificate = x509.load_pem_x509_certificate((tls / "server.pem").read_bytes())
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    names = {str(name.value) for name in alternatives}
    assert names >= {"hub.example.net", "nats", "localhost", "127.0.0.1"}


def test_edges_are_told_where_the_hub_is(made: Path) -> None:
    registry = (made / "parts" / "registry" / "registry.json").read_text()
    assert "tls://hub.example.net:14222" in registry
    assert "wss://hub.example.net:8443" in registry
