from typing import Any

import pytest

from outrider.rendering.environment import expand, referred
from outrider.spec.source import ApplicationSource

VARIABLES = {"ARGOCD_APP_NAME": "till", "A": "1"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$ARGOCD_APP_NAME", "till"),
        ("${ARGOCD_APP_NAME}-x", "till-x"),
        ("$A-$A/${A}b", "1-1/1b"),
        ("$$A $$$A", "$A $1"),
        ("$UNKNOWN.", "."),
        ("costs 5$", "costs 5$"),
        ("^a$|$)", "^a$|$)"),
        ("$1$*$@", ""),
        ("${} ${", " "),
        ("${a b}", ""),
        ("plain", "plain"),
    ],
)
def test_variables_are_replaced_as_gos_expand_does(text: str, expanded: str) -> None:
    assert expand(text, VARIABLES) == expanded


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"helm": {"parameters": [{"name": "a", "value": "$ARGOCD_APP_NAME"}]}}, {"ARGOCD_APP_NAME"}),
        ({"helm": {"valueFiles": ["${ARGOCD_APP_NAMESPACE}.yaml"]}}, {"ARGOCD_APP_NAMESPACE"}),
        (
            {"helm": {"fileParameters": [{"name": "a", "path": "$ARGOCD_APP_REVISION"}]}},
            {"ARGOCD_APP_REVISION"},
        ),
        ({"helm": {"values": "a: $ARGOCD_APP_NAME"}}, set()),
        ({"kustomize": {"images": ["a:$ARGOCD_APP_REVISION_SHORT"]}}, {"ARGOCD_APP_REVISION_SHORT"}),
        ({"kustomize": {"commonLabels": {"a": "$ARGOCD_APP_NAME"}}}, {"ARGOCD_APP_NAME"}),
        ({"kustomize": {"commonAnnotations": {"a": "$ARGOCD_APP_NAME"}}}, set()),
        (
            {
                "kustomize": {
                    "commonAnnotations": {"a": "$ARGOCD_APP_NAME"},
                    "commonAnnotationsEnvsubst": True,
                }
            },
            {"ARGOCD_APP_NAME"},
        ),
        (
            {"directory": {"jsonnet": {"tlas": [{"name": "a", "value": "$ARGOCD_APP_NAME"}]}}},
            {"ARGOCD_APP_NAME"},
        ),
        ({"helm": {"parameters": [{"name": "a", "value": "$$ARGOCD_APP_NAME $FOO"}]}}, set()),
    ],
)
def test_the_variables_that_enter_a_rendering_are_those_in_the_options_that_argo_cd_replaces_them_in(
    options: dict[str, Any], names: set[str]
) -> None:
    source = ApplicationSource.model_validate(
        {"repoURL": "https://example.com/a.git", "path": "a", **options}
    )
    assert referred(source) == names
