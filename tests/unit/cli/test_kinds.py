import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from outrider_cli.documents import Found, Place
from outrider_cli.kinds import choose, cleaned, in_order, kind_of, named

ARGO = "argoproj.io/v1alpha1"
KINDS = [(ARGO, "Application"), (ARGO, "ApplicationSet"), (ARGO, "AppProject"), ("v1", "ConfigMap")]


def found(api_version: str, kind: str, name: str, **more: Any) -> Found:
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **more}
    return Found(Place("a.yaml", 1), manifest)


def test_what_others_depend_on_comes_first() -> None:
    objects = [
        found(ARGO, "ApplicationSet", "s"),
        found(ARGO, "Application", "a"),
        found("v1", "ConfigMap", "argocd-cm"),
        found(ARGO, "AppProject", "p"),
    ]
    names = [named(one.manifest or {}) for one in in_order(objects)]
    assert names == ["project/p", "settings/argocd-cm", "application/a", "set/s"]


@given(st.lists(st.sampled_from(KINDS)), st.randoms())
def test_the_order_of_files_changes_nothing_but_the_order_within_a_kind(
    kinds: list[tuple[str, str]], rng: random.Random
) -> None:
    objects = [
        found(api, kind, "argocd-cm" if kind == "ConfigMap" else f"n{n}")
        for n, (api, kind) in enumerate(kinds)
    ]
    shuffled = rng.sample(objects, len(objects))

    def tiers(ordered: list[Found]) -> list[str]:
        return [str((one.manifest or {})["kind"]) for one in ordered]

    assert tiers(in_order(shuffled)) == tiers(in_order(objects))


def test_only_one_config_map_holds_settings() -> None:
    assert kind_of({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}}) is None
    assert kind_of({"apiVersion": "apps/v1", "kind": "Application", "metadata": {"name": "web"}}) is None


def test_what_is_given_twice_alike_is_taken_once_and_what_differs_is_refused_with_both_places() -> None:
    same = found(ARGO, "Application", "web")
    other = Found(Place("b.yaml", 2), {**(same.manifest or {}), "spec": {}})
    chosen = choose([same, same, other], ignore_others=False)
    assert chosen.taken == [same]
    assert [one.error for one in chosen.refused] == [
        "is in a.yaml (document 1) too, and differs: names are unique in the hub"
    ]


def test_other_kinds_are_refused_by_name_or_left_out() -> None:
    other = found("apps/v1", "Deployment", "web")
    assert "Deployment of apps/v1 (web)" in choose([other], ignore_others=False).refused[0].error
    left_out = choose([other], ignore_others=True)
    assert (left_out.refused, left_out.others) == ([], [other])


def test_what_a_cluster_added_is_no_part_of_what_is_applied() -> None:
    metadata = {
        "name": "web",
        "uid": "1",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "a": "b"},
    }
    assert cleaned(
        {"kind": "Application", "metadata": metadata, "status": {"sync": {}}, "operation": {}}
    ) == {
        "kind": "Application",
        "metadata": {"name": "web", "annotations": {"a": "b"}},
        "operation": {},
    }
