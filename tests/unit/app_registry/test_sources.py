from typing import Any

from app_registry.sources import Origin, Source, User, WantedSources
from app_registry.sources import wanted as wanted_by
from outrider.names import AppName
from outrider.records import RenderingRecord, SourceRecord
from outrider.spec.source import ApplicationSource

TILL, MENU = AppName("till"), AppName("menu")
SHOPS = "https://git.example.com/shops"


def source(**fields: Any) -> ApplicationSource:
    return ApplicationSource.model_validate(
        {"repoURL": "https://git.example.com/shops", "path": "a", **fields}
    )


def wanted(
    app: AppName, given: ApplicationSource, renderings: dict[str, RenderingRecord] | None = None
) -> dict[str, SourceRecord]:
    return wanted_of(app, Source(given), renderings)[1]


def wanted_of(
    app: AppName,
    given: Source,
    renderings: dict[str, RenderingRecord] | None = None,
    origins: dict[str, Origin] | None = None,
) -> tuple[str, dict[str, SourceRecord]]:
    def origin(url: str) -> Origin:
        return (origins or {}).get(url, Origin(url, "default"))

    used, records = wanted_by(User(app, app), given, origin, renderings or {})
    assert used in records
    return used, records


def test_applications_whose_manifests_must_be_equal_share_one_rendering() -> None:
    for fields in ({"directory": {"recurse": True}}, {"kustomize": {"namePrefix": "a-"}}, {}):
        given = source(**fields)
        assert wanted(TILL, given) == wanted(MENU, given)


def test_whatever_changes_the_manifests_is_another_rendering() -> None:
    keys = [
        tuple(wanted(TILL, given))
        for given in (
            source(),
            source(path="b"),
            source(targetRevision="v1"),
            source(directory={"recurse": True}),
            source(kustomize={"images": ["a:1"]}),
            source(kustomize={"images": ["a:2"]}),
        )
    ]
    assert len(set(keys)) == len(keys)


def test_a_chart_is_rendered_for_each_release() -> None:
    chart = source(helm={"values": "a: 1"})
    (record,) = wanted(TILL, chart).values()
    assert record.context == {"app_name": "till", "namespace": "till"}
    assert wanted(TILL, chart) != wanted(MENU, chart)


def test_applications_that_name_the_same_release_share_its_rendering() -> None:
    chart = source(helm={"releaseName": "shop", "namespace": "shops"})
    assert wanted(TILL, chart) == wanted(MENU, chart)


def test_a_release_is_asked_for_once_the_renderer_says_that_the_path_is_a_chart() -> None:
    (plain,) = wanted(TILL, source())
    both = wanted(TILL, source(), {plain: RenderingRecord(needs_release=True)})
    assert [record.context for record in both.values()] == [{}, {"app_name": "till", "namespace": "till"}]
    assert plain in both
    used, _ = wanted_of(TILL, Source(source()), {plain: RenderingRecord(needs_release=True)})
    assert used != plain
    used, records = wanted_of(TILL, Source(source()), {plain: RenderingRecord(digest=b"d")})
    assert (used, list(records)) == (plain, [plain])


def test_the_registered_url_and_pool_are_what_the_renderer_is_told() -> None:
    origin = Origin("ssh://git@example.com/shops.git", "private")
    _, records = wanted_of(TILL, Source(source(directory={})), {}, {SHOPS: origin})
    (record,) = records.values()
    assert (record.repo_url, record.pool) == (origin.repo_url, "private")
    assert record.source["repoURL"] == origin.repo_url


def test_a_wanted_source_stays_until_its_last_user_goes() -> None:
    sources = WantedSources()
    records = wanted(TILL, source())
    (key,) = records
    assert sources.want(TILL, records) == {key}
    assert sources.want(MENU, records) == set()
    assert sources.users(key) == {TILL, MENU}
    assert sources.want(TILL, {}) == set()
    assert sources.record(key) == records[key]
    other = wanted(MENU, source(path="b"))
    assert sources.want(MENU, other) == {key, *other}
    assert sources.record(key) is None
    assert sources.keys() == set(other)


def test_a_source_whose_pool_changes_is_told_to_the_renderers_again() -> None:
    sources = WantedSources()
    sources.want(TILL, wanted(TILL, source()))
    records = wanted(TILL, source(directory={}))
    key, record = next(iter(records.items()))
    sources.want(TILL, records)
    moved = SourceRecord(record.repo_url, "private", record.source, record.context)
    assert sources.want(TILL, {key: moved}) == {key}
    assert sources.record(key) == moved


def test_a_source_that_names_the_application_is_rendered_for_each_application() -> None:
    labels = source(kustomize={"commonLabels": {"shop": "$ARGOCD_APP_NAME"}})
    (record,) = wanted(TILL, labels).values()
    assert record.context == {"app_name": "till", "namespace": "till", "project": "default"}
    assert wanted(TILL, labels) != wanted(MENU, labels)
    by_revision = source(kustomize={"images": ["till:$ARGOCD_APP_REVISION_SHORT"]})
    assert wanted(TILL, by_revision) == wanted(MENU, by_revision)


def test_an_application_asks_for_its_own_rendering_once_the_renderer_says_that_there_are_overrides() -> None:
    (plain,) = wanted(TILL, source())
    release, _ = wanted_of(TILL, Source(source()), {plain: RenderingRecord(needs_release=True)})
    known = {plain: RenderingRecord(needs_release=True), release: RenderingRecord(needs_application=True)}
    used, records = wanted_of(TILL, Source(source()), known)
    assert [list(record.context) for record in records.values()] == [
        [],
        ["app_name", "namespace"],
        ["app_name", "namespace", "project"],
    ]
    assert used == list(records)[-1]


def test_several_sources_are_one_rendering_that_holds_each_with_its_registered_url_and_the_pool_that_reaches_all() -> (
    None
):
    values = ApplicationSource.model_validate(
        {"repoURL": "https://git.example.com/values.git", "ref": "values"}
    )
    chart = ApplicationSource.model_validate(
        {
            "repoURL": "https://charts.example.com",
            "chart": "shop",
            "targetRevision": "1.*",
            "helm": {"valueFiles": ["$values/till.yaml"]},
        }
    )
    given = Source(chart, values)
    origins = {
        "https://git.example.com/values.git": Origin("ssh://git@git.example.com/values.git", "private")
    }
    used, records = wanted_of(TILL, given, origins=origins)
    record = records[used]
    assert [one["repoURL"] for one in record.all_sources] == [
        "https://charts.example.com",
        "ssh://git@git.example.com/values.git",
    ]
    assert (record.repo_url, record.pool, record.source) == ("https://charts.example.com", "private", {})
    assert record.context == {"app_name": "till", "namespace": "till"}
    assert SourceRecord.unpack(record.pack()) == record
    assert used not in wanted_of(TILL, Source(values, chart))[1]
    assert given.shown == "https://charts.example.com shop"
