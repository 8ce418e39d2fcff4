from __future__ import annotations

from typing import Any

import pytest

from outrider_playground.kubernetes.custom.types import CustomType, schema_of
from outrider_playground.kubernetes.tables.rendering import at_path

SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "color": {"type": "string", "default": "red", "enum": ["red", "blue"]},
        "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5, "minLength": 2},
        "port": {"x-kubernetes-int-or-string": True},
        "tags": {
            "type": "array",
            "items": {"type": "string"},
            "x-kubernetes-list-type": "set",
            "maxItems": 3,
        },
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "n": {"type": "integer", "default": 1}},
            },
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "map": {"type": "object", "additionalProperties": {"type": "integer"}},
        "maybe": {"type": "string", "nullable": True},
        "choice": {
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
            "type": "object",
            "properties": {"a": {}, "b": {}},
        },
    },
}
TYPE = CustomType(
    "widgets.example.com", {"schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC}}}}
)


def _read(spec: dict[str, Any]) -> tuple[dict[str, Any], list[str], list[tuple[str, str]]]:
    unknown: list[str] = []
    read = TYPE.decode(
        {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}, unknown
    )
    return read["spec"], unknown, [(cause.reason, cause.field) for cause in TYPE.causes(read)]


def test_unknown_fields_are_pruned_unless_the_schema_keeps_them() -> None:
    spec, unknown, causes = _read(
        {"size": 1, "bogus": 1, "free": {"x": {"y": 1}}, "parts": [{"name": "p", "z": 1}], "map": {"k": 1}}
    )
    assert spec["free"] == {"x": {"y": 1}}
    assert spec["map"] == {"k": 1}
    assert "bogus" not in spec
    assert unknown == ["spec.bogus", "spec.parts[0].z"]
    assert causes == []


def test_defaults_come_in_at_every_depth() -> None:
    spec, _, _ = _read({"size": 1, "parts": [{"name": "p"}]})
    assert spec["color"] == "red"
    assert spec["parts"] == [{"name": "p", "n": 1}]


def test_a_null_gives_way_to_a_default_but_stays_where_it_is_allowed() -> None:
    spec, _, causes = _read({"size": 1, "color": None, "maybe": None})
    assert spec["color"] == "red"
    assert spec["maybe"] is None
    assert causes == []


@pytest.mark.parametrize(
    ("spec", "reason", "field"),
    [
        ({}, "FieldValueRequired", "spec.size"),
        ({"size": 0}, "FieldValueInvalid", "spec.size"),
        ({"size": 10}, "FieldValueInvalid", "spec.size"),
        ({"size": "1"}, "FieldValueTypeInvalid", "spec.size"),
        ({"size": 1.5}, "FieldValueTypeInvalid", "spec.size"),
        ({"size": True}, "FieldValueTypeInvalid", "spec.size"),
        ({"size": 1, "color": "green"}, "FieldValueNotSupported", "spec.color"),
        ({"size": 1, "name": "A1"}, "FieldValueInvalid", "spec.name"),
        ({"size": 1, "name": "a"}, "FieldValueInvalid", "spec.name"),
        ({"size": 1, "name": "abcdef"}, "FieldValueTooLong", "spec.name"),
        ({"size": 1, "port": []}, "FieldValueTypeInvalid", "spec.port"),
        ({"size": 1, "tags": ["a", "a"]}, "FieldValueDuplicate", "spec.tags[1]"),
        ({"size": 1, "tags": ["a", "b", "c", "d"]}, "FieldValueTooLong", "spec.tags"),
        ({"size": 1, "parts": [{"name": "p"}, {"name": "p"}]}, "FieldValueDuplicate", "spec.parts[1]"),
        ({"size": 1, "map": {"k": "v"}}, "FieldValueTypeInvalid", "spec.map.k"),
        ({"size": 1, "choice": {"a": 1, "b": 1}}, "FieldValueInvalid", "spec.choice"),
    ],
)
def test_what_breaks_the_schema_is_refused_by_field(spec: dict[str, Any], reason: str, field: str) -> None:
    assert _read(spec)[2] == [(reason, field)]


@pytest.mark.parametrize("port", [80, "http"])
def test_an_int_or_string_may_be_either(port: Any) -> None:
    assert _read({"size": 1, "port": port})[2] == []


def test_lists_of_custom_resources_merge_as_their_schema_says() -> None:
    schema = schema_of(SPEC)
    assert schema.child("parts").keys == ("name",)
    assert schema.child("parts").key_default("n") == 1
    assert schema.child("tags").is_set
    assert schema.child("free").child("anything").shape == "any"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".spec.size", 3),
        (".spec.list[1].name", "b"),
        ('.status.conditions[?(@.type=="Ready")].status', "True"),
        (".spec.missing.deeper", None),
        (".spec.list[9]", None),
        (".spec['size']", 3),
    ],
)
def test_printer_columns_follow_simple_paths(path: str, expected: Any) -> None:
    value = {
        "spec": {"size": 3, "list": [{"name": "a"}, {"name": "b"}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    assert at_path(value, path) == expected
