from typing import Any

from outrider.rendering.identity import RenderContext, rendering_key
from outrider.spec.source import ApplicationSource, SourceKind

SHOP_1, SHOP_2 = RenderContext("shop-1", "one"), RenderContext("shop-2", "two")


def source(**fields: Any) -> ApplicationSource:
    return ApplicationSource.model_validate({"repoURL": "https://example.com/a.git", "path": "app", **fields})


def test_applications_that_differ_in_name_and_namespace_share_a_directory_and_a_kustomization() -> None:
    for kind in (SourceKind.DIRECTORY, SourceKind.KUSTOMIZE):
        assert rendering_key(source(), kind, SHOP_1) == rendering_key(source(), kind, SHOP_2)


def test_a_chart_is_rendered_for_each_release() -> None:
    keys = {rendering_key(source(), SourceKind.HELM, context) for context in (SHOP_1, SHOP_2)}
    keys |= {rendering_key(source(), SourceKind.HELM, RenderContext("shop-1", "one", "v1.30.0"))}

    assert len(keys) == 3


def test_the_repository_and_the_revision_are_no_parameters() -> None:
    other = source(repoURL="https://example.com/b.git", targetRevision="v2")

    assert rendering_key(source(), SourceKind.HELM, SHOP_1) == rendering_key(other, SourceKind.HELM, SHOP_1)


def test_an_option_that_says_what_is_the_default_changes_nothing() -> None:
    plain, spelled = source(), source(directory={"recurse": False, "include": ""})

    assert rendering_key(plain, SourceKind.DIRECTORY, SHOP_1) == rendering_key(
        spelled, SourceKind.DIRECTORY, SHOP_1
    )


def test_every_option_is_part_of_the_key() -> None:
    variants = [
        source(),
        source(path="other"),
        source(helm={"values": "a: 1"}),
        source(helm={"valuesObject": {"a": 1}}),
        source(helm={"parameters": [{"name": "a", "value": "1"}]}),
        source(helm={"parameters": [{"name": "a", "value": "1", "forceString": True}]}),
        source(helm={"skipCrds": True}),
    ]
    keys = [rendering_key(variant, SourceKind.HELM, SHOP_1) for variant in variants]

    assert len(set(keys)) == len(keys)


def test_the_order_of_keys_in_values_does_not_matter() -> None:
    one, other = (
        source(helm={"valuesObject": {"a": 1, "b": 2}}),
        source(helm={"valuesObject": {"b": 2, "a": 1}}),
    )

    assert rendering_key(one, SourceKind.HELM, SHOP_1) == rendering_key(other, SourceKind.HELM, SHOP_1)
