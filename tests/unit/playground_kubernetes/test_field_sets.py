from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from outrider_playground.kubernetes.field_sets import (
    difference,
    from_paths,
    intersection,
    is_member,
    key_step,
    paths,
    union,
    without,
)

Path = tuple[str, ...]
_PATHS = st.sets(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple), max_size=8)


def _read(fields: dict[str, Any], prefix: Path = ()) -> set[Path]:
    """Read a set back as the plain paths that it stands for."""
    out: set[Path] = set()
    for step, node in fields.items():
        if step == ".":
            continue
        path = (*prefix, step[2:])
        if is_member(node):
            out.add(path)
        out |= _read(node, path)
    return out


@given(_PATHS)
def test_a_set_holds_the_paths_that_it_was_made_of(listed: set[Path]) -> None:
    assert _read(from_paths(*listed)) == listed


@given(_PATHS, _PATHS)
def test_sets_combine_as_plain_sets_of_paths_do(left: set[Path], right: set[Path]) -> None:
    one, other = from_paths(*left), from_paths(*right)
    assert _read(union(one, other)) == left | right
    assert _read(difference(one, other)) == left - right
    assert _read(intersection(one, other)) == left & right


@given(_PATHS, _PATHS)
def test_excluding_a_path_excludes_all_below_it(left: set[Path], right: set[Path]) -> None:
    kept = {path for path in left if not any(path[: len(end)] == end for end in right)}
    assert _read(without(from_paths(*left), from_paths(*right))) == kept


@given(_PATHS, _PATHS)
def test_combining_leaves_its_arguments_as_they_were(left: set[Path], right: set[Path]) -> None:
    one, other = from_paths(*left), from_paths(*right)
    for combine in (union, difference, intersection, without):
        combine(one, other)
    assert (_read(one), _read(other)) == (left, right)


@given(_PATHS, _PATHS)
def test_a_set_has_no_node_that_leads_nowhere(left: set[Path], right: set[Path]) -> None:
    for combine in (union, difference, intersection, without):
        result = combine(from_paths(*left), from_paths(*right))
        assert all(_read({step: node}) for step, node in result.items())


def test_paths_are_written_as_conflicts_show_them() -> None:
    fields = {
        "f:spec": {
            "f:ports": {key_step({"port": 80, "protocol": "TCP"}): {".": {}, "f:name": {}}},
            "f:finalizers": {'v:"example.com/hold"': {}},
        }
    }
    assert list(paths(fields)) == [
        '.spec.finalizers[="example.com/hold"]',
        '.spec.ports[port=80,protocol="TCP"]',
        '.spec.ports[port=80,protocol="TCP"].name',
    ]
