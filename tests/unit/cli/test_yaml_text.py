from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outrider.rendering.kubeyaml import Bounds, read_yaml
from outrider_cli.terminal import is_steering
from outrider_cli.yaml_text import dump, dump_all

# Lone surrogates have no UTF-8 form, and no answer of a hub holds any.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
WORDS = st.sampled_from(
    [
        "y",
        "N",
        "yes",
        "off",
        "null",
        "~",
        "0o17",
        "017",
        "1e3",
        "12:30:45",
        "2020-01-01",
        "=",
        "<<",
        "-",
        ".5",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXTS | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | WORDS, inner, max_size=4),
    max_leaves=12,
)


def read(text: str) -> list[Any]:
    return [document.value for document in read_yaml(text.encode(), Bounds())]


@settings(max_examples=150)
@given(st.dictionaries(TEXTS | WORDS, VALUES, min_size=1, max_size=4))
def test_kubectl_reads_back_what_was_written(value: dict[str, Any]) -> None:
    text = dump(value)
    assert read(text) == [value]
    assert not is_steering(text)


@pytest.mark.parametrize(
    "word", ["y", "N", "on", "0o17", "1e3", "12:30:45", "2020-01-01", "~", "null", "123"]
)
def test_a_text_that_reads_like_another_type_is_quoted(word: str) -> None:
    assert dump({"a": word}) == f'a: "{word}"\n'


def test_lines_are_written_as_lines() -> None:
    assert dump({"credentials": "first\nsecond\n"}) == "credentials: |\n  first\n  second\n"


def test_several_documents_are_divided() -> None:
    assert dump_all([{"a": 1}, {"b": 2}]) == "---\na: 1\n---\nb: 2\n"
