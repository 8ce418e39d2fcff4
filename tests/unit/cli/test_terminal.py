import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider_cli.terminal import is_steering, json_safe, visible, visible_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b2J", "\\x9b2J"),
        ("a\rb", "a\\x0db"),
        ("bell\x07", "bell\\x07"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("Größe ✓ 日本", "Größe ✓ 日本"),
        ("tab\tand\nline", "tab\tand\nline"),
    ],
)
def test_what_steers_a_terminal_is_written_out_and_the_rest_stays(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_no_control_character_passes_but_newline_and_tab(text: str) -> None:
    assert not [
        one for one in visible(text) if unicodedata.category(one) in ("Cc", "Cs") and one not in "\n\t"
    ]


@given(st.text())
def test_a_line_stays_one_line(text: str) -> None:
    assert len(visible_line(text).splitlines()) <= 1


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_made_safe_holds_the_same_values(value: object) -> None:
    text = json_safe(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert not is_steering(text)
