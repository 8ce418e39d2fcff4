from __future__ import annotations

import pytest

from outrider_playground.kubernetes.selectors import (
    SelectorError,
    fields_match,
    from_label_selector,
    matches,
    parse_field_selector,
    parse_label_selector,
    selector_text,
)

LABELS = {"app": "web", "tier": "front", "n": "7", "example.com/zone": "a"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app", True),
        ("!app", False),
        ("!missing", True),
        ("app=web", True),
        ("app==web", True),
        ("app = web , tier = front", True),
        ("app!=web", False),
        ("missing!=web", True),
        ("app in (web,api)", True),
        ("app in (api)", False),
        ("app notin (api)", True),
        ("missing notin (api)", True),
        ("missing in (api)", False),
        ("app in (a,web),n!=0", True),
        ("n>6", True),
        ("n<7", False),
        ("app>6", False),
        ("example.com/zone=a", True),
        ("app=", False),
        ("missing in (,x)", False),
    ],
)
def test_label_selectors_match_as_the_server_matches(text: str, expected: bool) -> None:
    assert matches(parse_label_selector(text), LABELS) is expected


@pytest.mark.parametrize(
    "text",
    ["==bad", "a=b=c", "a in", "a in (", "a in (b", "a in b", "!", "a,", "a b", "-a", "a=-b", "a in (b))"],
)
def test_a_label_selector_that_can_not_be_read_is_refused(text: str) -> None:
    with pytest.raises(SelectorError):
        parse_label_selector(text)


def test_selectors_of_objects_mean_what_those_of_queries_mean() -> None:
    selector = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["front", "back"]},
            {"key": "canary", "operator": "DoesNotExist"},
            {"key": "n", "operator": "Exists"},
            {"key": "zone", "operator": "NotIn", "values": ["b"]},
        ],
    }
    text = selector_text(selector)
    assert text == "app=web,tier in (back,front),!canary,n,zone notin (b)"
    assert set(parse_label_selector(text)) == set(from_label_selector(selector))
    assert matches(from_label_selector(selector), LABELS)
    assert matches(from_label_selector(None), {})


def test_an_operator_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SelectorError, match="Like"):
        from_label_selector({"matchExpressions": [{"key": "a", "operator": "Like"}]})


POD = {"metadata": {"name": "p"}, "spec": {"hostNetwork": True}, "status": {"phase": "Running"}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metadata.name=p", True),
        ("metadata.name!=p", False),
        ("status.phase==Running,metadata.name=p", True),
        ("status.phase=Pending", False),
        ("spec.hostNetwork=true", True),
        ("spec.nodeName=", True),
        ("", True),
    ],
)
def test_field_selectors_match_fields_as_texts(text: str, expected: bool) -> None:
    assert fields_match(parse_field_selector(text), POD) is expected


def test_a_field_selector_without_an_operator_is_refused() -> None:
    with pytest.raises(SelectorError, match=r"status\.phase"):
        parse_field_selector("status.phase")
