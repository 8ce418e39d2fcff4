"""Write YAML that kubectl reads back as the same values, and that can't steer a terminal.

PyYAML quotes what PyYAML would misread. kubectl reads more words and numbers than PyYAML does (`y`, `0o17`, `1e3`), so here every
text that does not begin like a word is quoted, and every word of YAML 1.1.
"""

import re
from collections.abc import Iterable
from typing import Any

import yaml

from outrider_cli.terminal import is_steering

_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_LIKE_A_WORD = re.compile(r"[A-Za-z/_]")
_NO_FOLDING = 1 << 30
_TEXT_TAG = "tag:yaml.org,2002:str"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        # An alias saves nothing that a person would miss, and some readers refuse them.
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = None
    if "\n" in text:
        style = "|"
    elif not _LIKE_A_WORD.match(text) or text.lower() in _WORDS:
        style = '"'
    return dumper.represent_scalar(_TEXT_TAG, text, style)


_Dumper.add_representer(str, _represent_text)


def dump(value: Any) -> str:
    """Return one document."""
    return dump_all([value])


def dump_all(values: Iterable[Any]) -> str:
    """Return several documents, divided by `---`."""
    documents = list(values)
    text = _dump(documents, allow_unicode=True)
    # What steers a terminal is printable to YAML in part: then everything beyond ASCII is escaped.
    return _dump(documents, allow_unicode=False) if is_steering(text) else text


def _dump(documents: list[Any], *, allow_unicode: bool) -> str:
    text: str = yaml.dump_all(
        documents,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        width=_NO_FOLDING,
        allow_unicode=allow_unicode,
        explicit_start=len(documents) > 1,
    )
    return text
