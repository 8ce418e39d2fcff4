from pathlib import Path

from outrider.bus.buckets import Change
from outrider.identity.sealing import generate_key, public_key, seal
from outrider.records import RepositoryRecord, repository_key
from outrider.rendering.git.access import RepositoryAccess
from outrider_cli.repositories import Access
from repo_renderer.catalogue import Catalogue

URL = "https://git.example.com/shops.git"


def test_all_that_repo_add_seals_is_what_the_renderer_reaches_the_repository_with(tmp_path: Path) -> None:
    for name in ("key", "hosts", "ca"):
        (tmp_path / name).write_text(f"{name} of the shop")
    given = Access(None, False, tmp_path / "key", tmp_path / "hosts", tmp_path / "ca").secret()
    key = generate_key()
    record = RepositoryRecord(URL, sealed=seal(given, public_key(key)))
    catalogue = Catalogue("default", key)

    catalogue.put_repository(Change(repository_key(URL), record.pack(), 1))

    assert catalogue.access(URL) == RepositoryAccess(
        URL, ssh_private_key="key of the shop", ssh_known_hosts="hosts of the shop", tls_ca="ca of the shop"
    )
