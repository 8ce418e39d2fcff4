import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from outrider.identity import credentials, hub_state, tls
from outrider.identity.credentials import write_secret
from outrider_cli import identity_folder, state_folder
from outrider_cli.failure import Failed


def certificate(state: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((state / "nats" / "tls" / "server.pem").read_bytes())


def names(state: Path) -> set[str]:
    found = certificate(state).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in found}


def test_preparing_a_folder_again_changes_nothing(tmp_path: Path) -> None:
    first = identity_folder.prepare(tmp_path, ("hub.example.com",), ("tls://hub.example.com:4222",))
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    again = identity_folder.prepare(tmp_path, (), ())
    assert (first.made, again.made, again.reissued) == (True, False, False)
    assert again.servers == ("tls://hub.example.com:4222",)
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}


def test_another_name_is_certified_by_the_same_authority(tmp_path: Path) -> None:
    identity_folder.prepare(tmp_path, (), ())
    authority = (tmp_path / "nats" / "tls" / "authority.pem").read_bytes()
    trust = (tmp_path / "trust.json").read_bytes()
    prepared = identity_folder.prepare(tmp_path, ("hub.example.com", "10.0.0.1"), ())
    assert prepared.reissued
    assert names(tmp_path) == {"hub.example.com", "10.0.0.1", "localhost", "127.0.0.1", "::1"}
    assert (tmp_path / "nats" / "tls" / "authority.pem").read_bytes() == authority
    assert (tmp_path / "trust.json").read_bytes() == trust
    certificate(tmp_path).verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    assert not identity_folder.prepare(tmp_path, ("hub.example.com", "10.0.0.1"), ()).reissued


def test_a_certificate_that_ends_soon_is_issued_again_with_the_names_it_has(tmp_path: Path) -> None:
    identity_folder.prepare(tmp_path, ("hub.example.com",), ())
    folder = tmp_path / "nats" / "tls"
    authority = tls.Pair((folder / "authority.pem").read_text(), (tmp_path / "authority-key.pem").read_text())
    old = tls.make_server(authority, sorted(names(tmp_path)), datetime.now(UTC) - timedelta(days=800))
    write_secret(folder / "server.pem", old.certificate)
    write_secret(folder / "server-key.pem", old.key)
    assert identity_folder.prepare(tmp_path, (), ()).reissued
    assert "hub.example.com" in names(tmp_path)
    assert certificate(tmp_path).not_valid_after_utc > datetime.now(UTC) + timedelta(days=365)


def test_edges_and_people_are_told_the_address_that_was_given_last(tmp_path: Path) -> None:
    identity_folder.prepare(tmp_path, (), ())
    told = ("tls://hub.example.com:4333",)
    assert identity_folder.prepare(tmp_path, (), told).servers == told
    assert tuple(hub_state.RegistryKeys.load(tmp_path / "registry.json").servers) == told
    person = tmp_path / state_folder.PERSON
    assert credentials.load(person).servers == told
    assert stat.S_IMODE(person.stat().st_mode) == 0o600
    assert identity_folder.told_servers(tmp_path) == told


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(Failed, match=r"can't write the hub's folder .*--state"),
        state_folder.locked(tmp_path / "file" / "hub"),
    ):
        pass


def test_a_damaged_identity_is_named_and_not_made_anew(tmp_path: Path) -> None:
    identity_folder.prepare(tmp_path, (), ())
    (tmp_path / "registry.json").write_text("{")
    with pytest.raises(Failed, match="damaged identity"):
        identity_folder.prepare(tmp_path, (), ())
    assert (tmp_path / "registry.json").read_text() == "{"


def test_two_hubs_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        state_folder.locked(tmp_path),
        pytest.raises(Failed, match=f"in use by a hub that is running \\(process {os.getpid()}\\)"),
        state_folder.locked(tmp_path),
    ):
        pass
    with state_folder.locked(tmp_path):
        pass


def test_an_address_that_is_damaged_is_as_good_as_none(tmp_path: Path) -> None:
    state_folder.write_address(tmp_path, {"servers": ["tls://localhost:1"]})
    assert state_folder.read_servers(tmp_path) == ("tls://localhost:1",)
    for text in ("", "{", "[]", '{"servers": 3}'):
        (tmp_path / "hub.json").write_text(text)
        assert state_folder.read_servers(tmp_path) == ()
    state_folder.remove_address(tmp_path)
    assert state_folder.read_servers(tmp_path) == ()
