"""What the edge rendered itself, in the replica."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_agent.replica import Bundles, Database, Holdings, Rendered, Renderings, opened
from outrider import codec, delta
from outrider.messages import Desired, Generation
from outrider.names import AppName
from outrider.subjects import SETTINGS

SHOP, MENU = AppName("shop"), AppName("menu")
UID, OTHER = b"u" * 16, b"v" * 16
HERE = b""
# The digest of a record that has the edge render.


def bundle(name: str) -> bytes:
    return codec.canonical([{"kind": "ConfigMap", "metadata": {"name": name}}])


FIRST, SECOND = bundle("first"), bundle("second")


@dataclass
class Replica:
    database: Database
    bundles: Bundles
    holdings: Holdings
    renderings: Renderings
    counter: int = 0

    @classmethod
    def over(cls, database: Database) -> "Replica":
        bundles = Bundles(database, unused_max_bytes=0)
        return cls(database, bundles, Holdings(database, bundles), Renderings(database, bundles))

    def accept(
        self, digest: bytes | None, data: bytes | None = None, app: AppName = SHOP, uid: bytes = UID
    ) -> None:
        self.counter += 1
        record = Desired(uid, 1, self.counter, {}, b"r" * 20, digest)
        self.holdings.accept(app, record, data, Generation(1, self.counter))

    def rendered(self, data: bytes, app: AppName = SHOP, revision: str = "c1") -> bool:
        rendered = Rendered(
            revision, delta.digest(data), f"of {revision}", (("RepeatedResourceWarning", "twice"),)
        )
        return self.renderings.put(app, rendered, f"identity of {revision}", data)


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[Replica]:
    with opened(tmp_path / "replica.sqlite") as database:
        yield Replica.over(database)


def test_a_rendering_and_its_bundle_are_there_after_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path / "replica.sqlite") as database:
        replica = Replica.over(database)
        replica.accept(HERE)
        assert replica.renderings.get(SHOP) is None
        assert replica.rendered(FIRST)
    with opened(tmp_path / "replica.sqlite") as database:
        replica = Replica.over(database)
        found = replica.renderings.get(SHOP)
        assert found == Rendered("c1", delta.digest(FIRST), "of c1", (("RepeatedResourceWarning", "twice"),))
        assert replica.bundles.get(delta.digest(FIRST)) == FIRST


def test_what_the_hub_rendered_stays_in_force_when_the_edge_takes_over(replica: Replica) -> None:
    replica.accept(delta.digest(FIRST), FIRST)
    replica.accept(HERE)
    assert replica.renderings.get(SHOP) == Rendered((b"r" * 20).hex(), delta.digest(FIRST))
    assert replica.bundles.get(delta.digest(FIRST)) == FIRST
    replica.rendered(SECOND)
    replica.accept(HERE)
    found = replica.renderings.get(SHOP)
    assert found is not None
    assert found.digest == delta.digest(SECOND)


@pytest.mark.parametrize("digest", [delta.digest(SECOND), None])
def test_what_the_edge_rendered_ends_with_the_hub_s_bundle_or_the_application(
    replica: Replica, digest: bytes | None
) -> None:
    replica.accept(HERE)
    replica.rendered(FIRST)
    replica.accept(digest, SECOND if digest else None)
    assert replica.renderings.get(SHOP) is None
    assert not replica.rendered(FIRST, revision="late")
    assert replica.renderings.get(SHOP) is None
    assert replica.bundles.get(delta.digest(FIRST)) is None


def test_an_application_made_again_takes_nothing_over_from_the_one_before(replica: Replica) -> None:
    replica.accept(delta.digest(FIRST), FIRST)
    replica.accept(HERE, uid=OTHER)
    assert replica.renderings.get(SHOP) is None
    replica.rendered(FIRST)
    replica.accept(HERE, uid=UID)
    assert replica.renderings.get(SHOP) is None


def test_the_cluster_s_settings_are_no_application_that_is_rendered_here(replica: Replica) -> None:
    replica.accept(HERE, app=SETTINGS)
    assert replica.renderings.get(SETTINGS) is None


def test_a_rendering_that_was_made_is_kept_for_as_long_as_its_bundle_is(replica: Replica) -> None:
    for app in (SHOP, MENU):
        replica.accept(HERE, app=app)
    replica.rendered(FIRST)
    replica.rendered(FIRST, MENU)
    replica.rendered(SECOND, revision="c2")
    archived = replica.renderings.archived("identity of c1")
    assert archived is not None
    assert (archived.digest, archived.warnings) == (
        delta.digest(FIRST),
        (("RepeatedResourceWarning", "twice"),),
    )
    replica.rendered(SECOND, MENU, revision="c2")
    assert replica.bundles.get(delta.digest(FIRST)) is None
    assert replica.renderings.archived("identity of c1") is None
