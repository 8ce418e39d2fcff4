from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider_playground.kubernetes.decoding import DecodingError, decode, empty
from outrider_playground.kubernetes.protobuf_reading import read_protobuf
from outrider_playground.kubernetes.quantities import QuantityError, canonical
from outrider_playground.kubernetes.resources import builtin_resources
from outrider_playground.kubernetes.schema import builtin_kinds, named
from outrider_playground.kubernetes.yaml_reading import read_yaml

DEPLOYMENT = named("apps.v1.Deployment")


@pytest.mark.parametrize("kind", builtin_kinds())
def test_every_built_in_type_can_be_read(kind: str) -> None:
    schema = named(builtin_kinds()[kind])
    blank = decode(schema, {}, [])
    assert decode(schema, blank, []) == blank
    assert empty(schema).keys() <= blank.keys()


def test_unknown_fields_are_dropped_and_named() -> None:
    unknown: list[str] = []
    body = {
        "spec": {
            "replicas": 1,
            "bogus": 1,
            "template": {"spec": {"containers": [{"name": "a", "imag": "x"}]}},
        }
    }
    decoded = decode(DEPLOYMENT, body, unknown)
    assert unknown == ["spec.bogus", "spec.template.spec.containers[0].imag"]
    assert "bogus" not in decoded["spec"]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"replicas": "two"}, "spec.replicas"),
        ({"replicas": 1.5}, "spec.replicas"),
        ({"paused": "no"}, "spec.paused"),
        ({"template": []}, "spec.template"),
        ({"template": {"spec": {"containers": {}}}}, "spec.template.spec.containers"),
        ({"template": {"metadata": {"labels": {"n": 1}}}}, "spec.template.metadata.labels.n"),
    ],
)
def test_a_wrong_type_is_refused_by_path(spec: dict[str, Any], path: str) -> None:
    with pytest.raises(DecodingError) as raised:
        decode(DEPLOYMENT, {"spec": spec}, [])
    assert raised.value.path == path


def test_what_counts_as_unset_goes_and_what_is_always_written_comes() -> None:
    body = {
        "metadata": {"name": "a", "labels": {}},
        "spec": {"replicas": 0, "minReadySeconds": 0, "paused": False, "template": {}},
    }
    decoded = decode(DEPLOYMENT, body, [])
    assert decoded["metadata"] == {"name": "a"}
    assert decoded["spec"] == {
        "replicas": 0,
        "selector": None,
        "strategy": {},
        "template": {"metadata": {}, "spec": {"containers": None}},
    }
    assert decoded["status"] == {}


def test_reading_an_object_twice_gives_the_same() -> None:
    body = {
        "spec": {
            "template": {"spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "0.5"}}}]}}
        }
    }
    once = decode(DEPLOYMENT, body, [])
    assert decode(DEPLOYMENT, once, []) == once


def test_bytes_must_be_base64() -> None:
    with pytest.raises(DecodingError, match="base64"):
        decode(named("core.v1.Secret"), {"data": {"a": "not base64!"}}, [])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1024Mi", "1Gi"),
        ("1536Mi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("1.5", "1500m"),
        ("1000k", "1M"),
        ("1e3", "1e3"),
        ("100", "100"),
        ("0", "0"),
        ("0Gi", "0"),
        ("-1", "-1"),
        ("+5Ki", "5Ki"),
        ("1024", "1024"),
        ("12000", "12k"),
        ("0.0001", "100u"),
        (".5", "500m"),
    ],
)
def test_quantities_are_written_in_their_one_form(given: str, expected: str) -> None:
    assert canonical(given) == expected


@pytest.mark.parametrize("text", ["", "one", "1 Gi", "1Gb", "0x5", "1e", "--1", "1.2.3"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        canonical(text)


@given(st.integers(-(10**12), 10**12), st.sampled_from(["n", "u", "m", "", "k", "M", "G", "Ki", "Mi", "Gi"]))
def test_a_quantity_keeps_its_amount_and_its_form(number: int, suffix: str) -> None:
    once = canonical(f"{number}{suffix}")
    assert canonical(once) == once
    assert _amount(once) == _amount(f"{number}{suffix}")


_FACTORS = {"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1)}
_FACTORS |= {
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
}
_FACTORS |= {
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}


def _amount(text: str) -> Decimal:
    suffix = text.lstrip("+-0123456789.")
    return Decimal(text[: len(text) - len(suffix)]) * _FACTORS[suffix]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y: 1", {"true": 1}),
        ("a: yes", {"a": True}),
        ("a: 'yes'", {"a": "yes"}),
        ("a: 0o17", {"a": 15}),
        ("a: 017", {"a": 15}),
        ("a: 0x1F", {"a": 31}),
        ("a: 1e3", {"a": 1000.0}),
        ("a: 12:30:45", {"a": "12:30:45"}),
        ("a: 2026-01-01", {"a": "2026-01-01"}),
        ("a: =", {"a": "="}),
        ("1: a", {"1": "a"}),
        ("a: ~", {"a": None}),
        ("- a\n- b", ["a", "b"]),
    ],
)
def test_yaml_is_read_as_the_server_reads_it(text: str, expected: Any) -> None:
    assert read_yaml(text) == expected


@pytest.mark.parametrize("text", ["a: [", "a: {b", "\t", "a: b: c", "!!python/object:os.system {}"])
def test_what_is_no_yaml_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whatever the library's message
        read_yaml(text)


_TEXT = st.text(st.characters(max_codepoint=0x7E), max_size=20)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner),
    max_leaves=10,
)


@given(_JSON)
def test_json_is_read_as_yaml(value: Any) -> None:
    assert read_yaml(json.dumps(value)) == value


@given(st.binary(max_size=60))
def test_bytes_that_are_no_protobuf_are_refused_and_nothing_worse(body: bytes) -> None:
    head = b"k8s\x00\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12" + bytes([len(body)])
    try:
        read = read_protobuf(head + body)
    except ValueError:
        return
    assert read["kind"] == "ConfigMap"


def test_resources_have_types_and_unique_paths() -> None:
    resources = builtin_resources()
    paths = {(each.group, each.version, each.plural) for each in resources}
    assert len(paths) == len(resources)
    assert all(each.schema.fields for each in resources)
