from typing import Any

import pytest

from edge_agent.rendering.credentials import access_to, repositories_in
from edge_agent.rendering.orders import Order, Place, followed, order_of, shortened
from edge_agent.rendering.outcome import EMPTY_BUNDLE, RendersNothing, awaiting, empties, failing, standing
from edge_agent.replica import Rendered
from outrider.messages import Desired
from outrider.names import AppName

TILL = AppName("till")
URL = "https://git.example.com/shops.git"
SOURCE: dict[str, Any] = {"repoURL": URL, "path": "till"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def order(*sources: dict[str, Any], **spec: Any) -> Order:
    render = {"sources": list(sources), **spec.pop("render", {})}
    return order_of(TILL, Desired(b"u", 1, 2, {"render": render, **spec}, digest=b""))


def test_a_record_says_what_enters_a_rendering() -> None:
    found = order(
        SOURCE,
        destination={"namespace": "retail"},
        render={"project": "tills"},
        syncPolicy={"automated": {"allowEmpty": True}},
    )
    assert found.context == {"app_name": "till", "namespace": "retail", "project": "tills"}
    assert (found.sources, found.allows_empty, found.refusal) == ((SOURCE,), True, "")
    assert order(SOURCE).context == {"app_name": "till", "namespace": "", "project": "default"}


@pytest.mark.parametrize("sources", ["text", [1], [{}], [{"repoURL": 7}], [{"repoURL": ""}]])
def test_a_record_of_a_later_version_is_named_and_followed_no_further(sources: Any) -> None:
    found = order_of(TILL, Desired(b"u", 1, 2, {"render": {"sources": sources}}, digest=b""))
    assert found.sources == ()
    assert "this agent does not understand: update it" in found.refusal


@pytest.mark.parametrize(
    "spec", [{}, {"render": None}, {"render": "x"}, {"render": {}}, {"render": {"sources": []}}]
)
def test_a_record_without_sources_is_no_order_to_follow(spec: dict[str, Any]) -> None:
    found = order_of(TILL, Desired(b"u", 1, 2, spec, digest=b""))
    assert (found.sources, found.refusal) == ((), "")


def test_a_place_is_a_url_and_whether_charts_lie_there() -> None:
    chart = {"repoURL": "registry.example.com/charts", "chart": "till", "targetRevision": "1.*"}
    assert order(SOURCE, SOURCE, chart).places == (
        Place(URL, False),
        Place("registry.example.com/charts", True),
    )
    assert Place.of(chart).address == "oci://registry.example.com/charts"
    assert Place.of(SOURCE).address == URL


def test_another_revision_takes_the_place_of_what_is_followed() -> None:
    tagged = {**SOURCE, "targetRevision": "1.*", "tagPrefix": "v"}
    assert order(tagged).at("v1.2").sources == ({**SOURCE, "targetRevision": "v1.2"},)
    assert order(SOURCE).at("a,b").sources == ({**SOURCE, "targetRevision": "a,b"},)
    several = order(SOURCE, tagged).at(f"{COMMIT}, ")
    assert several.sources == ({**SOURCE, "targetRevision": COMMIT}, tagged)
    with pytest.raises(ValueError, match="there are 2 sources"):
        order(SOURCE, tagged).at("main")


def test_what_is_followed_is_called_as_people_call_it() -> None:
    assert followed(SOURCE) == "HEAD"
    assert followed({**SOURCE, "targetRevision": "1.*", "tagPrefix": "v"}) == "v:1.*"
    assert followed({"repoURL": URL, "chart": "till", "targetRevision": "1.2.3"}) == "till 1.2.3"
    assert shortened(f"{COMMIT},1.2.3") == "0123456,1.2.3"


def test_an_error_says_of_what_it_is_at_which_revision_and_what_stays() -> None:
    at = Rendered(COMMIT, b"d")
    assert failing(order(SOURCE), "no", "f" * 40, at) == f"{URL} till at fffffff: no (stays at 0123456)"
    assert failing(order(SOURCE), "no", "", None) == f"{URL} till: no"
    only_files = {"repoURL": URL, "ref": "values"}
    assert failing(order(only_files, {**SOURCE, "path": ""}), "no", "", None) == f"{URL} .: no"


def test_a_rendering_to_nothing_is_taken_only_where_nothing_runs_or_somebody_means_it() -> None:
    runs, nothing = Rendered(COMMIT, b"d"), Rendered(COMMIT, EMPTY_BUNDLE)
    meant = order(SOURCE, syncPolicy={"automated": {"allowEmpty": True}})
    assert empties(order(SOURCE), EMPTY_BUNDLE, runs)
    for taken in (
        empties(order(SOURCE), b"other", runs),
        empties(order(SOURCE), EMPTY_BUNDLE, None),
        empties(order(SOURCE), EMPTY_BUNDLE, nothing),
        empties(meant, EMPTY_BUNDLE, runs),
    ):
        assert taken == ""


def test_an_application_that_waits_for_its_first_rendering_has_a_document() -> None:
    found = awaiting(Desired(b"u", 3, 7, {}, digest=b""), standing(None, "no network"))
    assert found["sync"] == {"status": "Unknown", "revision": "", "generation": [3, 7]}
    assert found["conditions"] == [{"type": "ComparisonError", "message": "no network"}]
    assert (
        "does not render"
        in awaiting(Desired(b"u", 1, 1, {}), RendersNothing().standing(TILL))["conditions"][0]["message"]
    )


def test_a_secret_vouches_for_its_host_and_gives_what_it_has() -> None:
    manifest = {
        "metadata": {"labels": {"outrider.dev/secret-type": "repository"}},
        "stringData": {"url": URL, "password": "token"},
    }
    registry = {
        "metadata": {"labels": {"argocd.argoproj.io/secret-type": "repo-creds"}},
        "stringData": {"url": "registry.shop.local", "username": "u", "password": "p", "enableOCI": "true"},
    }
    known = repositories_in([manifest, registry, {"metadata": {}}])
    assert access_to(URL, known, {"default"}) == {"url": URL, "vouched": True, "password": "token"}
    other = "https://git.example.com/other.git"
    assert access_to(other, known, {"default"}) == {"url": other, "vouched": True}
    assert access_to("https://github.com/a/b", known, set()) == {
        "url": "https://github.com/a/b",
        "vouched": False,
    }
    chart = "oci://registry.shop.local/charts"
    assert access_to(chart, known, set()) == {"url": chart, "vouched": True, "username": "u", "password": "p"}
