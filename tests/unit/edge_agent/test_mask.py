"""A Secret's values are never shown."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from outrider.manifests.mask import is_secret, masked

CANARY = "correct-horse-battery"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def secret(data: Any = None, **more: Any) -> dict[str, Any]:
    metadata = {"name": "s", **more.pop("metadata", {})}
    found = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **more}
    return found if data is None else {**found, "data": data}


def shown(*found: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [one for one in masked(*found) if one is not None]


def test_equal_values_have_equal_masks_and_others_longer_ones() -> None:
    desired, live, next_one = shown(
        secret({"a": encoded("1"), "b": encoded("x")}),
        secret({"a": encoded("2"), "b": encoded("x")}),
        secret({"a": encoded("1"), "c": encoded("1")}),
    )
    assert desired["data"]["a"] == next_one["data"]["a"] != live["data"]["a"]
    assert desired["data"]["b"] == live["data"]["b"]
    assert {len(value) for value in desired["data"].values()} == {8}


def test_a_mask_says_nothing_of_how_long_a_value_is() -> None:
    (short,) = shown(secret({"a": encoded("1")}))
    (long,) = shown(secret({"a": encoded("1" * 5000)}))
    assert short == long


def test_a_value_that_looks_like_a_mask_is_masked_like_any_other() -> None:
    desired, live = shown(secret({"a": "++++++++"}), secret({"a": encoded("real")}))
    assert desired["data"]["a"] != live["data"]["a"]
    forged, other = shown(secret({"a": "++++++++++++"}), secret({"a": encoded("real")}))
    assert forged == desired
    assert other == live


def test_plain_and_stored_values_are_told_to_be_equal() -> None:
    desired, live = shown(secret(stringData={"a": CANARY}), secret({"a": encoded(CANARY)}))
    assert desired["stringData"]["a"] == live["data"]["a"]


def test_what_was_applied_last_is_masked_inside() -> None:
    before = json.dumps(secret({"a": encoded(CANARY), "old": encoded("older")}))
    desired, live = shown(
        secret({"a": encoded("new")}),
        secret({"a": encoded(CANARY)}, metadata={"annotations": {LAST_APPLIED: before}}),
    )
    text = live["metadata"]["annotations"][LAST_APPLIED]
    assert json.loads(text)["data"]["a"] == live["data"]["a"] != desired["data"]["a"]
    assert set(json.loads(text)["data"]["old"]) == {"+"}


def test_a_secret_is_one_whatever_its_shape() -> None:
    assert is_secret({"apiVersion": "v1", "kind": "Secret"})
    assert is_secret({"kind": "Secret"})
    assert not is_secret({"apiVersion": "example.com/v1", "kind": "Secret"})
    assert not is_secret({"apiVersion": "v1", "kind": "ConfigMap"})


def test_other_kinds_are_left_as_they_are() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}
    assert masked(config, None) == (config, None)


TEXTS = st.text(min_size=4, max_size=30).map(lambda text: f"{CANARY}{text}")
ANYTHING = st.recursive(
    TEXTS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
)


@given(
    TEXTS,
    st.lists(st.sampled_from(["data", "stringData", "stringdata", "spec", "bin"]), max_size=4),
    ANYTHING,
)
def test_no_byte_of_a_value_is_in_what_is_shown(value: str, fields: list[str], anything: Any) -> None:
    """Wherever in the object a value stands: known fields, misspelt ones, annotations and labels that copy it."""
    copies = {
        LAST_APPLIED: json.dumps(secret({"a": encoded(value)}, stringData={"b": value})),
        "kapp.k14s.io/original": f"broken {{ {value}",
        "example.com/copy": f"it is {value}!",
        "example.com/coded": encoded(value),
        "example.com/whole": json.dumps(secret(stringData={"x": value})),
        "example.com/unread": f"{value}{'x' * 600}",
    }
    found = secret({"a": encoded(value)}, metadata={"annotations": copies, "labels": {"copy": value}})
    found |= dict.fromkeys(fields, anything)
    found["data"] = found["data"] if isinstance(found["data"], dict) else {"a": anything}
    found["data"]["a"] = encoded(value)
    found["metadata"]["managedFields"] = [{"manager": "x", "fieldsV1": {"f:data": {f"v:{value}": {}}}}]
    (result,) = shown(found)
    text = json.dumps(result, ensure_ascii=False)
    assert CANARY not in text
    assert value not in text
    assert encoded(value) not in text
    assert encoded(CANARY)[:16] not in text


@given(ANYTHING)
def test_what_is_no_valid_secret_is_masked_too(anything: Any) -> None:
    for part in ("data", "stringData", "immutableData"):
        (result,) = shown(secret(**{part: anything}))
        assert CANARY not in json.dumps(result, ensure_ascii=False)
