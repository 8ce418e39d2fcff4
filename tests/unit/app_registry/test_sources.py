from typing import Any

from app_registry.sources import Origin, Source, WantedSources
from app_registry.sources import wanted as wanted_by
from outrider.names import AppName
from outrider.records import RenderingRecord, SourceRecord
from outrider.spec.source import ApplicationSource

TILL, MENU = AppName("till"), AppName("menu")
ORIGIN = Origin("https://git.example.com/shops", "default")


def source(**fields: Any) -> ApplicationSource:
    return ApplicationSource.model_validate(
        {"repoURL": "https://git.example.com/shops", "path": "a", **fields}
    )


def wanted(
    app: AppName, given: ApplicationSource, renderings: dict[str, RenderingRecord] | None = None
) -> dict[str, SourceRecord]:
    used, records = wanted_by(app, Source(given), app, ORIGIN, renderings or {})
    assert used in records
    return records


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
    used, _ = wanted_by(TILL, Source(source()), "till", ORIGIN, {plain: RenderingRecord(needs_release=True)})
    assert used != plain
    used, records = wanted_by(TILL, Source(source()), "till", ORIGIN, {plain: RenderingRecord(digest=b"d")})
    assert (used, list(records)) == (plain, [plain])


def test_the_registered_url_and_pool_are_what_the_renderer_is_told() -> None:
    origin = Origin("ssh://git@example.com/shops.git", "private")
    _, records = wanted_by(TILL, Source(source(directory={})), "till", origin, {})
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
