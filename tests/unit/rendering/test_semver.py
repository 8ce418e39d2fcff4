import pytest

from outrider.rendering.semver import InvalidRange, is_range, newest, parse_range, parse_version

VERSIONS = [
    "0.0.3",
    "0.2.3",
    "0.2.9",
    "1.0.0",
    "1.2.0",
    "1.2.9",
    "1.3.0-rc.1",
    "v2.0.1",
    "2.1.0-beta",
    "3.0.0+build",
    "junk",
    "1.2.3.4",
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("*", "3.0.0+build"),
        ("", None),
        ("1.2.*", "1.2.9"),
        ("1.x", "1.2.9"),
        ("1.2", "1.2.9"),
        ("v1.2.x", "1.2.9"),
        (">=1.2.0 <1.2.9", "1.2.0"),
        (">=1.2.0, <2", "1.2.9"),
        ("1.0 - 1.2", "1.2.9"),
        ("~1.2.0", "1.2.9"),
        ("~1", "1.2.9"),
        ("~>0.2.3", "0.2.9"),
        ("^0.2.3", "0.2.9"),
        ("^0.0.3", "0.0.3"),
        ("^0", "0.2.9"),
        ("^1.0.0", "1.2.9"),
        ("<1 || ^2", "v2.0.1"),
        ("!=3.0.0 >1", "v2.0.1"),
        (">1.2", "3.0.0+build"),
        ("<=1.2", "1.2.9"),
        ("<=1.2.0", "1.2.0"),
        ("=1.2.9", "1.2.9"),
        (">=2.1.0-0 <3", "2.1.0-beta"),
        ("~1.3.0-0", "1.3.0-rc.1"),
        ("1.3.x", None),
        (">9", None),
    ],
)
def test_the_newest_version_in_a_range_is_chosen_as_helm_does(wanted: str, found: str | None) -> None:
    if wanted:
        assert newest(wanted, VERSIONS) == found
    else:
        assert not is_range(wanted)


def test_versions_rank_by_number_and_a_release_above_its_pre_releases() -> None:
    ranked = [
        "1.0.0-1",
        "1.0.0-2",
        "1.0.0-10",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-beta",
        "1.0.0",
        "1.0.1",
        "1.10.0",
        "2",
    ]
    versions = [parse_version(text) for text in reversed(ranked)]
    assert all(versions)
    assert [version.text for version in sorted(version for version in versions if version)] == ranked
    assert parse_version("1.0.0+a") == parse_version("v1")


@pytest.mark.parametrize(
    "text", ["main", "", "1..2", ">", "1.2.3.4", "a || 1", "1 ||", ">=1 <", "1" * 300, "*" * 5000]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidRange):
        parse_range(text)
    assert not is_range(text)


def test_a_single_version_is_no_range_to_choose_from() -> None:
    assert [is_range(text) for text in ("1", "v1.2", "1.2.3", "1.2.3-rc.1", "1.2.x")] == [False] * 4 + [True]
