"""Patterns of names and addresses."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider import globs


@pytest.mark.parametrize(
    ("pattern", "text", "separator", "matches"),
    [
        ("*", "anything/at all", "", True),
        ("https://git/*", "https://git/a", "/", True),
        ("https://git/*", "https://git/a/b", "/", False),
        ("https://git/**", "https://git/a/b", "/", True),
        ("**a*b", "a/ab", "/", True),
        ("shop-?", "shop-1", "", True),
        ("shop-?", "shop-12", "", False),
        ("a?b", "a/b", "/", False),
        ("shop-[1-3]", "shop-2", "", True),
        ("shop-[!1-3]", "shop-2", "", False),
        ("{bar,shop}-*", "shop-7", "", True),
        ("{bar,shop}-*", "pub-7", "", False),
        (r"\*", "*", "", True),
        (r"\*", "a", "", False),
        ("", "", "", True),
        ("", "a", "", False),
    ],
)
def test_a_pattern_matches_as_in_argo_cd(pattern: str, text: str, separator: str, matches: bool) -> None:
    assert globs.matches(pattern, text, separator) is matches


@pytest.mark.parametrize("pattern", ["[a", "{a", "a}", "{a{b}}", "{a,b}" * 9, "a*" * 33, "x" * 1025])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(globs.InvalidGlob):
        globs.check(pattern)


def test_braces_are_written_out_for_readers_that_do_not_know_them() -> None:
    assert globs.expanded("{a,b}-{1,2}") == ["a-1", "a-2", "b-1", "b-2"]


@given(st.text(alphabet="ab/", max_size=12))
def test_a_text_without_special_characters_matches_itself_alone(text: str) -> None:
    assert globs.matches(text, text, "/")
    assert not globs.matches(text, text + "a", "/")


def test_no_pattern_takes_more_time_than_its_length_allows() -> None:
    begun_s = time.perf_counter()
    assert not globs.matches("*a" * 32 + "b", "a" * 2000)
    assert time.perf_counter() - begun_s < 1
