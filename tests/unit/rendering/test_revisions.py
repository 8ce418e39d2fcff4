import pytest

from outrider.rendering.git.revisions import find, near, ref_prefixes

REFS = {
    b"HEAD": b"1" * 40,
    b"refs/heads/main": b"1" * 40,
    b"refs/heads/release": b"2" * 40,
    b"refs/tags/release": b"3" * 40,
    b"refs/tags/v1.0.0": b"4" * 40,
}


@pytest.mark.parametrize(
    ("revision", "found"),
    [
        ("HEAD", b"1"),
        ("main", b"1"),
        ("release", b"2"),
        ("refs/tags/release", b"3"),
        ("v1.0.0", b"4"),
        ("refs/heads/v1.0.0", None),
        ("nothing", None),
        ("heads/main", None),
    ],
)
def test_names_are_found_branches_before_tags(revision: str, found: bytes | None) -> None:
    assert find(revision, REFS) == (found and found * 40)


def test_only_what_is_asked_for_is_asked_of_the_server() -> None:
    assert ref_prefixes(["main"]) == [b"HEAD", b"refs/heads/main", b"refs/tags/main"]
    assert b"refs/heads/" in ref_prefixes(["4f2a91c"])


def test_names_that_look_alike_are_offered() -> None:
    assert near("v1.0", REFS) == ("v1.0.0",)
    assert near("relaese", REFS) == ("release",)
    assert near("zzz", REFS) == ()


TAGS = {
    b"refs/heads/1.x": b"branch",
    b"refs/tags/1.2.0": b"120",
    b"refs/tags/v1.3.0": b"130",
    b"refs/tags/v1.3.0^{}": b"peeled",
    b"refs/tags/app/v2.0.0": b"app200",
    b"refs/tags/app/v2.1.0": b"app210",
    b"refs/tags/app/v2.2.0-rc.1": b"app220rc",
}


def test_a_range_is_the_newest_tag_in_it_and_otherwise_a_branch_of_that_name() -> None:
    assert find("1.*", TAGS) == b"130"
    assert find("1.x", TAGS) == b"130"
    assert find("1.x", {b"refs/heads/1.x": b"branch"}) == b"branch"
    assert find(">=5", TAGS) is None
    assert b"refs/tags/" in ref_prefixes(["1.*"])


def test_tags_with_a_prefix_are_ranked_by_what_follows_it() -> None:
    assert find("app/:v2.*", TAGS) == b"app210"
    assert find("app/:v2.0.0", TAGS) == b"app200"
    assert find("other/:*", TAGS) is None
    assert b"refs/tags/app/" in ref_prefixes(["app/:v2.*"])
