from dataclasses import replace
from typing import Any

import pytest

from app_registry.desired import (
    EMPTY_BUNDLE,
    PATCH_MAX_BYTES,
    Content,
    Intent,
    Last,
    decide,
    packed_revision,
    tombstone,
    unpacked_revision,
)
from outrider import delta
from outrider.generations import spec_digest
from outrider.messages import Desired
from outrider.records import RenderingRecord

OLD, NEW = delta.digest(b"old"), delta.digest(b"new")
COMMIT = "0123456789abcdef" * 2 + "01234567"
SPEC: dict[str, Any] = {"destination": {"namespace": "till"}}
INTENT = Intent(b"u" * 16, SPEC, allows_empty=False, source="https://git.example.com/shops till")
RENDERING = RenderingRecord(revision=COMMIT, digest=NEW, objects=3)


def published(content: Content) -> Last:
    return Last.of(
        Desired(content.uid, 1, 1, content.spec, content.revision, content.digest, cascade=content.cascade)
    )


def last(digest: bytes | None = OLD) -> Last:
    return Last(INTENT.uid, spec_digest(SPEC), packed_revision("a" * 40), digest)


def test_without_a_rendering_nothing_is_said() -> None:
    assert decide(INTENT, None, None).content is None
    assert decide(INTENT, RenderingRecord(needs_release=True), last()).content is None


def test_the_first_rendering_is_published_whole() -> None:
    content = decide(INTENT, RENDERING, None).content
    assert content == Content(INTENT.uid, SPEC, bytes.fromhex(COMMIT), NEW)


def test_what_was_published_is_not_published_again() -> None:
    content = decide(INTENT, RENDERING, None).content
    assert content is not None
    assert decide(INTENT, RENDERING, published(content)).content is None
    noisy = replace(RENDERING, changed_at_ms=9, fingerprint="f", base=b"b", patch=b"p")
    assert decide(INTENT, noisy, published(content)).content is None


@pytest.mark.parametrize(
    ("intent", "rendering"),
    [
        (replace(INTENT, uid=b"v" * 16), RENDERING),
        (replace(INTENT, spec={**SPEC, "syncPolicy": {}}), RENDERING),
        (INTENT, replace(RENDERING, revision="main")),
        (INTENT, replace(RENDERING, digest=OLD)),
    ],
    ids=["uid", "spec", "revision", "digest"],
)
def test_whatever_differs_is_published(intent: Intent, rendering: RenderingRecord) -> None:
    first = decide(INTENT, RENDERING, None).content
    assert first is not None
    assert decide(intent, rendering, published(first)).content is not None


def test_a_patch_travels_only_where_it_fits_what_the_edge_was_told_last() -> None:
    fitting = replace(RENDERING, base=delta.short(OLD), patch=b"p" * 40)
    assert decide(INTENT, fitting, last()).content == Content(
        INTENT.uid, SPEC, bytes.fromhex(COMMIT), NEW, delta.short(OLD), b"p" * 40
    )
    for unfit in (
        decide(INTENT, replace(fitting, base=delta.short(NEW)), last()),
        decide(INTENT, replace(fitting, patch=b"p" * (PATCH_MAX_BYTES + 1)), last()),
        decide(INTENT, fitting, None),
        decide(INTENT, fitting, last(None)),
        decide(INTENT, fitting, last(NEW)),
    ):
        assert unfit.content is not None
        assert (unfit.content.base, unfit.content.patch) == (None, None)


def test_an_error_is_told_with_the_revision_it_is_at_and_the_one_that_stays() -> None:
    failed = replace(RENDERING, error="a.yaml:3: bad", error_revision="f" * 40)
    decision = decide(INTENT, failed, last())
    assert decision.content is not None
    assert decision.conditions[0].message == (
        "https://git.example.com/shops till at fffffff: a.yaml:3: bad (stays at 0123456)"
    )
    never = decide(INTENT, RenderingRecord(error="no such path"), last())
    assert never.content is None
    assert never.conditions[0].message == "https://git.example.com/shops till: no such path"


def test_nothing_rendered_takes_away_nothing_that_runs() -> None:
    for empty in (
        replace(RENDERING, objects=0),
        replace(RENDERING, objects=0, digest=EMPTY_BUNDLE),
        replace(RENDERING, digest=EMPTY_BUNDLE),
    ):
        decision = decide(INTENT, empty, last())
        assert decision.content is None
        assert "allowEmpty" in decision.conditions[0].message
        assert decide(replace(INTENT, allows_empty=True), empty, last()).content is not None
        assert decide(INTENT, empty, None).content is not None
        assert decide(INTENT, empty, last(EMPTY_BUNDLE)).content is not None
        assert decide(INTENT, empty, last(None)).content is not None


@pytest.mark.parametrize("revision", [COMMIT, "main", "", "v1.0", "g" * 40, COMMIT.upper(), COMMIT[:39]])
def test_a_commit_travels_as_twenty_bytes_and_any_other_revision_as_it_is(revision: str) -> None:
    packed = packed_revision(revision)
    assert unpacked_revision(packed) == revision
    assert isinstance(packed, bytes) == (revision == COMMIT)


def test_a_tombstone_says_how_far_the_status_was() -> None:
    assert tombstone(b"u", propagation="", status_revision=7) == Content(b"u", {"status": 7})


def test_a_tombstone_says_how_the_objects_go_if_they_do() -> None:
    content = tombstone(b"u", propagation="background", status_revision=7)
    assert content == Content(b"u", {"status": 7, "propagation": "background"}, cascade=True)
