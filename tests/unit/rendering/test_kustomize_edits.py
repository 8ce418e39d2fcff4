from typing import Any

import pytest

from outrider.rendering.errors import RenderError
from outrider.rendering.worker.kustomize_edits import edited, split_image


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nginx", ("nginx", "", "")),
        ("nginx:1.2", ("nginx", "1.2", "")),
        ("nginx@sha256:abc", ("nginx", "", "sha256:abc")),
        ("nginx:1.2@sha256:abc", ("nginx", "1.2", "sha256:abc")),
        ("registry.example.com:5000/team/web", ("registry.example.com:5000/team/web", "", "")),
        ("registry.example.com:5000/team/web:1", ("registry.example.com:5000/team/web", "1", "")),
    ],
)
def test_a_port_of_a_registry_is_no_tag(text: str, parts: tuple[str, str, str]) -> None:
    assert split_image(text) == parts


@pytest.mark.parametrize(
    ("content", "options", "changed"),
    [
        (
            {"namePrefix": "a-"},
            {"name_prefix": "b-", "name_suffix": "-c"},
            {"namePrefix": "b-", "nameSuffix": "-c"},
        ),
        ({}, {"images": ["a=b:1"]}, {"images": [{"name": "a", "newName": "b", "newTag": "1"}]}),
        (
            {"images": [{"name": "b", "newTag": "1"}, {"name": "a", "newName": "x", "newTag": "1"}]},
            {"images": ["a@sha256:abc"]},
            {"images": [{"name": "a", "digest": "sha256:abc"}, {"name": "b", "newTag": "1"}]},
        ),
        (
            {"images": [{"name": "a", "newName": "x", "newTag": "1"}]},
            {"images": ["a=*:2"]},
            {"images": [{"name": "a", "newName": "x", "newTag": "2"}]},
        ),
        (
            {"replicas": [{"name": "b", "count": 1}, {"name": "a", "count": 1}]},
            {"replicas": [{"name": "b", "count": 5}]},
            {"replicas": [{"name": "a", "count": 1}, {"name": "b", "count": 5}]},
        ),
        ({"commonLabels": {"a": "1"}}, {"common_labels": {"b": "2"}}, {"commonLabels": {"a": "1", "b": "2"}}),
        (
            {"labels": [{"pairs": {"a": "1"}}]},
            {"common_labels": {"b": "2"}, "label_without_selector": True},
            {"labels": [{"pairs": {"a": "1", "b": "2"}}]},
        ),
        (
            {"labels": [{"pairs": {"a": "1"}, "includeSelectors": True}]},
            {"common_labels": {"b": "2"}, "label_without_selector": True},
            {
                "labels": [
                    {"pairs": {"a": "1"}, "includeSelectors": True},
                    {"pairs": {"b": "2"}, "includeSelectors": False, "includeTemplates": False},
                ]
            },
        ),
        (
            {"patches": [{"path": "a.yaml"}]},
            {"patches": [{"patch": "x", "target": {"kind": "A", "label_selector": "b=c"}}]},
            {
                "patches": [
                    {"path": "a.yaml"},
                    {"patch": "x", "target": {"kind": "A", "labelSelector": "b=c"}},
                ]
            },
        ),
        ({"components": ["a"]}, {"components": ["a", "b"]}, {"components": ["a", "b"]}),
    ],
)
def test_a_kustomization_is_changed_as_kustomize_edit_changes_it(
    content: dict[str, Any], options: dict[str, Any], changed: dict[str, Any]
) -> None:
    assert edited({"resources": ["x"], **content}, options) == {"resources": ["x"], **changed}


def test_an_image_without_tag_digest_or_new_name_is_refused_as_it_changes_nothing() -> None:
    with pytest.raises(RenderError, match=r"spec\.source\.kustomize\.images: 'nginx' changes nothing"):
        edited({}, {"images": ["nginx"]})
