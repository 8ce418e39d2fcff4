import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.rendering.kubeyaml import Bounds, Document, InvalidDocument, read_json, read_yaml
from outrider.rendering.kubeyaml.scalars import normal, resolve


def value(text: str, bounds: Bounds | None = None) -> Any:
    (document,) = read_yaml(text.encode(), bounds or Bounds())
    return document.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y", True),
        ("N", False),
        ("0o17", 15),
        ("017", 15),
        ("08", 8),
        ("1e3", 1000),
        ("1.0", 1),
        ("12:30:45", "12:30:45"),
        ("2001-01-01", "2001-01-01"),
        ("=", "="),
        ("1_000", 1000),
        ("9223372036854775808", 9223372036854775808.0),
        ("1e400", "1e400"),
        ("", None),
        ("9" * 500, "9" * 500),
    ],
)
def test_plain_scalars_are_what_kubectl_makes_of_them(text: str, expected: object) -> None:
    result = normal(resolve(text))

    assert (type(result), result) == (type(expected), expected)


def test_documents_come_with_the_line_they_begin_at() -> None:
    documents = list(read_yaml(b"# a\na: 1\n---\n---\nb: 2\n...\n", Bounds()))

    assert [(document.value, document.line) for document in documents] == [({"a": 1}, 2), ({"b": 2}, 4)]


def test_documents_before_a_broken_one_are_read() -> None:
    found: list[Document] = []
    with pytest.raises(InvalidDocument) as broken:
        found.extend(read_yaml(b"a: 1\n---\nb: [\n", Bounds()))
    assert broken.value.line == 4


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 200_000, "nested deeper"),
        ("a: " + "{b: " * 150, "nested deeper"),
        ("- " * 150 + "x", "nested deeper"),
        ("a: &a [*a]", "contains itself"),
        ("a: *b", "has no anchor"),
        ("? [a]\n: b", "a list or a mapping"),
        ("&a [b]: c", "a list or a mapping"),
        ("a: &a [b]\n? *a\n: c", "a list or a mapping"),
        ("~: a", "a key is empty"),
        ("0.5: a", "a key is the number 0.5"),
        ("a: .inf", "no form in JSON"),
        ("a: !!int x", "is no int"),
        ("a: !!int 1.5", "is no integer"),
        ("a: !!binary '*'", "no base64"),
        ("a: b: c", "mapping values are not allowed"),
        ("a: \x01", "does not allow"),
    ],
)
def test_what_can_not_be_read_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidDocument, match=reason):
        value(text)


def test_aliases_are_weighed_before_they_are_written_out() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    long = "a: &a " + "x" * 1000 + "\nb: [" + "*a, " * 1000 + "]\n"
    merges = (
        "a: &a {"
        + ", ".join(f"k{n}: 1" for n in range(200))
        + "}\n"
        + "".join(f"b{n}: {{<<: *a}}\n" for n in range(200))
    )
    for text in (bomb, long, merges):
        with pytest.raises(InvalidDocument, match="once its aliases are written out"):
            value(text, Bounds(max_weight=200_000))


def test_aliases_can_not_be_used_to_nest_deeper_than_allowed() -> None:
    text = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [[[*a{n - 1}]]]\n" for n in range(1, 60))

    with pytest.raises(InvalidDocument, match="nested deeper than 100 levels"):
        value(text)


def test_aliases_stand_for_what_they_name() -> None:
    assert value("a: &a {x: [1, &n 2]}\nb: *a\nc: *n\nd: {<<: *a, z: 3}\n") == {
        "a": {"x": [1, 2]},
        "b": {"x": [1, 2]},
        "c": 2,
        "d": {"x": [1, 2], "z": 3},
    }


def test_keys_become_text_as_in_json() -> None:
    assert value("{1: a, true: b, 0x10: c, 'x': d, n: e}") == {
        "1": "a",
        "true": "b",
        "16": "c",
        "x": "d",
        "false": "e",
    }


def test_a_key_that_occurs_twice_is_reported_and_one_that_overrides_a_merge_is_not() -> None:
    (document,) = read_yaml(b"a: &a {x: 1}\nb:\n  <<: *a\n  x: 2\nc: 1\nc: 2\n", Bounds())

    assert document.warnings == ("line 6: key 'c' occurs twice; the last one counts",)
    assert document.value == {"a": {"x": 1}, "b": {"x": 2}, "c": 2}


def test_json_files_hold_one_document_after_the_other() -> None:
    documents = list(
        read_json(
            b'\xef\xbb\xbf{"a": 1}\n\n {"b": [1.0, 1e2, "\\ud83d", 99999999999999999999]} null', Bounds()
        )
    )

    assert [document.value for document in documents] == [{"a": 1}, {"b": [1.0, 100.0, "\ufffd", 1e20]}]
    assert [document.line for document in documents] == [1, 3]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"a": ', "line 1: Expecting value"),
        (b'{"a":\n NaN}', "NaN is no JSON"),
        (b'{"a": 1e999}', "too large"),
        (b"9" * 1000, "more than 400 digits"),
        (b"[" * 200_000, "nested deeper"),
        (b'{"a": "\xff"}', "not UTF-8"),
    ],
)
def test_json_that_can_not_be_read_is_refused_with_a_reason(text: bytes, reason: str) -> None:
    with pytest.raises(InvalidDocument, match=reason):
        list(read_json(text, Bounds()))


def test_brackets_inside_text_are_no_nesting() -> None:
    text = '{"a": "' + "[" * 500 + '\\"{"}'

    assert next(read_json(text.encode(), Bounds())).value == {"a": "[" * 500 + '"{'}


def test_files_beyond_the_limit_are_refused_unread() -> None:
    for read in (read_yaml, read_json):
        with pytest.raises(InvalidDocument, match="has 11 bytes, more than the 10 allowed"):
            list(read(b'{"abc": 12}', Bounds(max_bytes=10)))


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text("abc [{]}:#'\"\\y", max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcy1", min_size=1, max_size=4), inner, max_size=4)))  # fmt: skip
def test_json_read_as_yaml_is_the_same_value(item: Any) -> None:
    import json

    text = json.dumps(item).encode()

    assert [document.value for document in read_yaml(text, Bounds())] == [
        document.value for document in read_json(text, Bounds())
    ]


@given(st.binary(max_size=200) | st.text("abc:-[]{}&*!|>%@`'\"#,?\n\t <=~0.1", max_size=60).map(str.encode))
def test_no_bytes_raise_anything_but_the_one_error(data: bytes) -> None:
    for read in (read_yaml, read_json):
        with contextlib.suppress(InvalidDocument):
            list(read(data, Bounds()))
