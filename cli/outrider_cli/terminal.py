"""Text of strangers made fit for a terminal: what would steer it is written out instead."""

import re

# C0 and C1 controls but newline and tab, the line separators that are no newline, the marks and overrides of writing direction
# (which make a line read other than it is), and lone surrogates, which no stream can encode.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    """Return `text` with every character that could steer a terminal written out, as `\\x1b`. Newlines and tabs stay."""
    return _STEERING.sub(lambda found: escape(found.group()), text)


def visible_line(text: str) -> str:
    """Return `visible` text as one line."""
    return visible(" ".join(text.split()))


def escape(character: str) -> str:
    """Return a character as its code, in the form that JSON, YAML and Python share where there is one."""
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def is_steering(text: str) -> bool:
    """Say whether `text` holds a character that `visible` would write out."""
    return _STEERING.search(text) is not None


def json_safe(encoded: str) -> str:
    """Return JSON text with what could steer a terminal as `\\u001b`: the same JSON, since it occurs in strings only."""
    return _STEERING.sub(lambda found: f"\\u{ord(found.group()):04x}", encoded)
