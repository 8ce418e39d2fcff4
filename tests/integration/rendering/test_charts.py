import asyncio
import hashlib
import json
import re
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.integration.rendering.chart_servers import (
    BASIC,
    FILES_LAYER,
    Charts,
    archive,
    chart_files,
    charts_server,
)
from tests.integration.rendering.servers import PASSWORD, USERNAME, Certificate

from outrider.rendering.charts import ChartStore, Head, Wanted
from outrider.rendering.errors import RenderError
from outrider.rendering.git import (
    AddressPolicy,
    AddressRefused,
    CredentialsRefused,
    ExportLimits,
    FetchLimits,
    GitError,
    HostNotTrusted,
    RepositoryAccess,
    RepositoryTooLarge,
    RepositoryUnavailable,
    RevisionNotFound,
)
from outrider.rendering.git.bounds import MIB
from outrider.rendering.pool import RenderPool
from outrider.rendering.settings import RenderSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def charts(tmp_path: Path, certificate: Certificate) -> Iterator[Charts]:
    with charts_server(tmp_path, certificate) as server:
        yield server


@pytest.fixture
def elsewhere(tmp_path: Path, certificate: Certificate) -> Iterator[Charts]:
    """Another origin: the same host at another port."""
    with charts_server(tmp_path, certificate) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RenderPool]:
    folder = tmp_path_factory.mktemp("pool")
    async with RenderPool(RenderSettings(folder=folder, workers=1)) as pool:
        yield pool


@pytest_asyncio.fixture(loop_scope="module")
async def store(tmp_path: Path, pool: RenderPool) -> AsyncIterator[ChartStore]:
    async with ChartStore(tmp_path / "store", pool.chart_versions) as opened:
        yield opened


def access(charts: Charts, url: str = "", *, password: str = "") -> RepositoryAccess:
    return RepositoryAccess(
        url or charts.url,
        username=USERNAME if password else "",
        password=password,
        tls_ca=charts.certificate.pem,
    )


def oci(charts: Charts) -> str:
    return f"oci://{charts.registry}"


async def one(store: ChartStore, who: RepositoryAccess, chart: str, version: str, **fields: Any) -> Head:
    found = await refused_or(store, who, chart, version, **fields)
    assert isinstance(found, Head), found
    return found


async def refusal(store: ChartStore, who: RepositoryAccess, chart: str, version: str) -> GitError:
    """Return why there is none, of this chart or of the whole repository."""
    try:
        found = await refused_or(store, who, chart, version)
    except GitError as error:
        return error
    assert isinstance(found, GitError)
    return found


async def refused_or(
    store: ChartStore, who: RepositoryAccess, chart: str, version: str, **fields: Any
) -> Head | GitError:
    wanted = Wanted(chart, version, **fields)
    return (await store.fetch(who, [wanted]))[wanted]


async def unpacked(store: ChartStore, head: Head, folder: Path) -> dict[str, str]:
    await asyncio.to_thread(folder.mkdir)
    await store.unpack(head, "archive", folder)
    return await asyncio.to_thread(
        lambda: {
            path.relative_to(folder).as_posix(): path.read_text()
            for path in folder.rglob("*")
            if path.is_file()
        }
    )


WRONG = "wrong-canary"
VERSIONS = ["1.0.0", "1.2.0", "1.2.9", "1.3.0-rc.1", "2.0.0"]


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("1.2.0", "1.2.0"),
        ("v1.2.0", "1.2.0"),
        ("1.2.*", "1.2.9"),
        ("1.2", "1.2.9"),
        ("*", "2.0.0"),
        (">=1.0.0 <2", "1.2.9"),
        (">=1.3.0-0 <2", "1.3.0-rc.1"),
        ("^1", "1.2.9"),
    ],
)
async def test_a_version_or_the_newest_in_a_range_is_taken_from_a_repository(
    version: str, found: str, charts: Charts, store: ChartStore, tmp_path: Path
) -> None:
    for listed in VERSIONS:
        charts.publish("shop", listed)
    head = await one(store, access(charts), "shop", version)
    assert head.revision == found
    files = await unpacked(store, head, tmp_path / "out")
    assert f"version: {found}" in files["Chart.yaml"]
    assert set(files) == {"Chart.yaml", "values.yaml", "templates/shown.yaml"}


@pytest.mark.parametrize(
    ("version", "found"),
    [("1.2.0", "1.2.0"), ("1.2.*", "1.2.9"), ("*", "2.0.0+build"), ("2.0.0+build", "2.0.0+build")],
)
async def test_a_version_or_the_newest_in_a_range_is_taken_from_a_registry(
    version: str, found: str, charts: Charts, store: ChartStore, tmp_path: Path
) -> None:
    charts.page_size = 2
    for listed in ("1.2.0", "1.2.9", "junk", "latest", "2.0.0+build"):
        charts.push("charts/shop", listed.replace("+", "_"), archive(chart_files("shop", listed)))
    head = await one(store, access(charts, oci(charts)), "shop", version)
    assert head.revision == found
    assert f"version: {found}" in (await unpacked(store, head, tmp_path / "out"))["Chart.yaml"]


async def test_an_artifact_of_files_is_taken_by_its_tag_or_digest_and_is_known_by_its_digest(
    charts: Charts, store: ChartStore, tmp_path: Path
) -> None:
    digest = charts.push("charts/shop", "latest", archive({"deploy/a.yaml": "a"}), media_type=FILES_LAYER)
    who = access(charts, f"{oci(charts)}/shop")
    for version in ("latest", digest):
        head = await one(store, who, "", version)
        assert (head.revision, head.is_chart) == (digest, False)
    assert await unpacked(store, head, tmp_path / "out") == {"deploy/a.yaml": "a"}
    charts.push("charts/shop", "latest", archive({"deploy/a.yaml": "b"}), media_type=FILES_LAYER)
    assert (await one(store, who, "", "latest")).content != head.content
    assert (await one(store, who, "", digest)).content == head.content


async def test_an_index_is_fetched_again_only_if_it_changed_and_an_archive_once(
    charts: Charts, store: ChartStore
) -> None:
    charts.publish("shop", "1.0.0")
    first = await one(store, access(charts), "shop", "*")
    assert await one(store, access(charts), "shop", "*") == first
    charts.publish("shop", "1.1.0")
    second = await one(store, access(charts), "shop", "*")
    assert second.revision == "1.1.0"
    assert len(charts.requests("index.yaml")) == 3
    assert len(charts.requests(".tgz")) == 2
    # An exact version that was had before needs no server any more.
    charts.requires_login = True
    assert await one(store, access(charts), "shop", "1.0.0") == first
    assert len(charts.requests("index.yaml")) == 3


async def test_archives_outlive_the_process_and_the_cache_keeps_its_size(
    charts: Charts, pool: RenderPool, tmp_path: Path
) -> None:
    sizes = [len(charts.publish("shop", version)) for version in ("1.0.0", "1.1.0")]
    for cache_max_bytes, kept in ((1 << 30, 2), (sizes[1] + 1, 1)):
        folder = tmp_path / str(kept)
        async with ChartStore(folder, pool.chart_versions, cache_max_bytes=cache_max_bytes) as store:
            for version in ("1.0.0", "1.1.0"):
                await one(store, access(charts), "shop", version)
        assert len(list((folder / "archives").iterdir())) == kept
        before = len(charts.requests(".tgz"))
        async with ChartStore(folder, pool.chart_versions) as store:
            assert (await one(store, access(charts), "shop", "1.1.0")).revision == "1.1.0"
            assert len(charts.requests(".tgz")) == before
            await one(store, access(charts), "shop", "1.0.0")
            assert len(charts.requests(".tgz")) == before + (kept == 1)


async def test_what_is_not_there_is_named_with_what_is(charts: Charts, store: ChartStore) -> None:
    for version in VERSIONS:
        charts.publish("shop", version)
    for chart, version, reason in (
        ("shop", "9.9.9", "chart 'shop' has no such version; the newest are 2.0.0, 1.3.0-rc.1, 1.2.9"),
        ("shop", ">=3", "chart 'shop' has no such version"),
        ("shpo", "*", "chart 'shpo' has no such version"),
    ):
        found = await refused_or(store, access(charts), chart, version)
        assert isinstance(found, RevisionNotFound)
        assert reason in str(found)
    charts.push("charts/shop", "1.0.0", archive(chart_files("shop", "1.0.0")))
    for version in ("2.0.0", ">=2"):
        assert isinstance(
            await refused_or(store, access(charts, oci(charts)), "shop", version), RevisionNotFound
        )


# Credentials.


async def test_credentials_go_to_their_own_origin_and_nowhere_else(
    charts: Charts, elsewhere: Charts, store: ChartStore
) -> None:
    charts.requires_login = True
    data = elsewhere.publish("shop", "1.0.0")
    charts.publish("shop", "1.0.0", url=f"{elsewhere.url}/shop-1.0.0.tgz")
    head = await one(store, access(charts, password=PASSWORD), "shop", "*")
    assert head.content == hashlib.sha256(data).hexdigest()
    assert [seen for _, seen in charts.requests("index.yaml")] == [BASIC]
    assert [seen for _, seen in elsewhere.requests("")] == [None]


async def test_credentials_are_passed_to_the_host_that_the_index_names_only_if_that_is_asked_for(
    charts: Charts, elsewhere: Charts, store: ChartStore
) -> None:
    charts.requires_login = elsewhere.requires_login = True
    elsewhere.publish("shop", "1.0.0")
    charts.publish("shop", "1.0.0", url=f"{elsewhere.url}/shop-1.0.0.tgz")
    who = access(charts, password=PASSWORD)
    refused = await refused_or(store, who, "shop", "*")
    assert isinstance(refused, RepositoryUnavailable)
    assert "set helm.passCredentials" in str(refused)
    assert (await one(store, who, "shop", "*", passes_credentials=True)).revision == "1.0.0"
    assert [seen for _, seen in elsewhere.requests("")] == [None, BASIC]


async def test_a_redirect_gets_no_credentials(charts: Charts, elsewhere: Charts, store: ChartStore) -> None:
    charts.requires_login = True
    data = archive(chart_files("shop", "1.0.0"))
    digest = charts.push("charts/shop", "1.0.0", data)
    elsewhere.archives[f"sha256:{hashlib.sha256(data).hexdigest()}"] = data
    charts.redirect_blobs_to = elsewhere.url
    head = await one(store, access(charts, oci(charts), password=PASSWORD), "shop", "1.0.0")
    assert head.content == hashlib.sha256(data).hexdigest()
    assert [seen for _, seen in elsewhere.requests("")] == [None]
    assert digest != head.content


async def test_a_registry_that_wants_a_token_gets_one_from_its_own_service(
    charts: Charts, store: ChartStore
) -> None:
    charts.push("charts/shop", "1.0.0", archive(chart_files("shop", "1.0.0")))
    charts.realm = f"{charts.server.url}/token"
    head = await one(store, access(charts, oci(charts), password=PASSWORD), "shop", "1.*")
    assert head.revision == "1.0.0"
    assert {seen for _, seen in charts.requests("/v2/")} == {None, "Bearer token-canary"}
    assert {seen for _, seen in charts.requests("/token")} == {BASIC}


async def test_credentials_are_not_sent_to_a_token_service_of_another_domain(
    charts: Charts, store: ChartStore
) -> None:
    charts.push("charts/shop", "1.0.0", archive(chart_files("shop", "1.0.0")))
    charts.realm = "https://tokens.example.net/token"
    found = await refused_or(store, access(charts, oci(charts), password=PASSWORD), "shop", "1.0.0")
    assert isinstance(found, CredentialsRefused)
    assert "outside of its domain" in str(found)


async def test_no_error_holds_a_credential(charts: Charts, store: ChartStore) -> None:
    charts.requires_login = True
    charts.publish("shop", "1.0.0")
    for url in (charts.url, oci(charts)):
        found = await refusal(store, access(charts, url, password=WRONG), "shop", "1.*")
        assert isinstance(found, CredentialsRefused)
        assert "refused the credentials" in str(found)
        assert "canary" not in repr(found)


# What is refused.


async def test_certificates_addresses_and_private_networks_are_checked_as_for_git(
    charts: Charts, pool: RenderPool, tmp_path: Path
) -> None:
    charts.publish("shop", "1.0.0")
    async with ChartStore(tmp_path / "a", pool.chart_versions) as store:
        for url in (charts.url, oci(charts)):
            assert isinstance(await refusal(store, RepositoryAccess(url), "shop", "1.0.0"), HostNotTrusted)
    async with ChartStore(tmp_path / "b", pool.chart_versions, policy=AddressPolicy.locked_down()) as store:
        for url in (charts.url, oci(charts), "http://charts.example.com", "oci://169.254.169.254/a"):
            assert isinstance(await refusal(store, access(charts, url), "shop", "1.0.0"), AddressRefused)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/x.tgz",
        "file:///etc/passwd",
        "ftp://example.com/x",
        "https://169.254.169.254/x",
        "//169.254.169.254/x",
    ],
)
async def test_an_index_that_names_what_may_not_be_asked_is_refused_by_name(
    url: str, charts: Charts, store: ChartStore
) -> None:
    charts.publish("shop", "1.0.0", url=url)
    found = await refused_or(store, access(charts), "shop", "1.0.0")
    assert isinstance(found, AddressRefused | RepositoryUnavailable)
    assert not found.transient or "169.254" in str(found)


async def test_an_archive_that_is_not_what_the_index_or_manifest_says_is_refused(
    charts: Charts, store: ChartStore
) -> None:
    charts.publish("shop", "1.0.0")
    charts.archives["shop-1.0.0.tgz"] += b"x"
    found = await refused_or(store, access(charts), "shop", "1.0.0")
    assert isinstance(found, RepositoryUnavailable)
    assert "is not what the index says" in str(found)
    charts.push("charts/shop", "1.0.0", b"data")
    charts.blobs = dict.fromkeys(charts.blobs, b"other")
    found = await refused_or(store, access(charts, oci(charts)), "shop", "1.0.0")
    assert "is not what its digest says" in str(found)
    charts.tags["charts/shop"]["2.0.0"] = json.dumps({"layers": []}).encode()
    charts.tags["charts/shop"]["3.0.0"] = b"[" * 100_000
    for tag, reason in (("2.0.0", "holds 0 archives"), ("3.0.0", "no JSON object")):
        assert reason in str(await refused_or(store, access(charts, oci(charts)), "shop", tag))


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (b"[" * 200_000, "nested deeper|depth|levels"),
        (b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 108)), "once its aliases are written out"),
        (b"entries: [1]", "no index of charts"),
        (b"- a", "no single mapping"),
        (b"\xff\xfe\x00", "index.yaml"),
        (b"\n", "no index of charts"),
        (b"entries: {shop: {a: b}}", "no such version"),
        (b"entries: {shop: [1, {version: 2}, {version: '1.0.0', urls: 7}, {version: [a]}]}", "1.0.0|no such"),
    ],
    ids=["deep", "aliases", "list", "no mapping", "binary", "empty", "odd chart", "odd entries"],
)  # fmt: skip
async def test_a_hostile_index_costs_a_named_error(
    index: bytes, reason: str, charts: Charts, store: ChartStore
) -> None:
    charts.index = index
    assert re.search(reason, str(await refusal(store, access(charts), "shop", "1.0.0")))


async def test_an_answer_without_end_is_cut_off(charts: Charts, pool: RenderPool, tmp_path: Path) -> None:
    charts.index = b"# " + b"x" * (3 * MIB)
    limits = FetchLimits(max_received_bytes=MIB, connect_timeout_s=5, idle_timeout_s=5, total_timeout_s=10)
    async with ChartStore(tmp_path / "tight", pool.chart_versions, fetch_limits=limits) as store:
        with pytest.raises(RepositoryTooLarge):
            await refused_or(store, access(charts), "shop", "1.0.0")


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def device(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = tarfile.CHRTYPE
    return member


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"shop/a": link("shop/a", "/etc/passwd")}, "is a link"),
        ({"shop/a": link("shop/a", "b")}, "is a link"),
        ({"shop/a": link("shop/a", "/etc/passwd", tarfile.LNKTYPE)}, "is a link"),
        ({"shop/a": device("shop/a")}, "no file and no folder"),
        ({"shop/../../a": "x"}, "leaves the archive"),
        ({"/etc/a": "x"}, "leaves the archive"),
        ({"..": "x"}, "leaves the archive"),
        ({"shop/" + "d/" * 70 + "a": "x"}, "nested deeper"),
        ({"shop/a": "x", "other/a": "y"}, "can't be written"),
        ({"shop/a": "x", "shop/a/b": "y"}, "can't be written"),
        ({f"shop/{n}": "" for n in range(101)}, "more than 100 files"),
        ({"shop/a": b"\0" * (2 * MIB)}, "unpacks to more than 1 MiB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_an_archive_may_not_hold_is_refused_by_name(
    files: dict[str, Any], reason: str, charts: Charts, pool: RenderPool, tmp_path: Path
) -> None:
    charts.push("charts/shop", "1.0.0", archive(files))
    limits = ExportLimits(max_files=100, max_bytes=MIB)
    async with ChartStore(tmp_path / "tight", pool.chart_versions, unpack_limits=limits) as store:
        head = await one(store, access(charts, oci(charts)), "shop", "1.0.0")
        with pytest.raises(RenderError, match=reason):
            await unpacked(store, head, tmp_path / "out")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("data", [b"", b"no archive", archive({"a": "b" * 1000})[:60]])
async def test_what_is_no_archive_is_refused(
    data: bytes, charts: Charts, store: ChartStore, tmp_path: Path
) -> None:
    charts.push("charts/shop", "1.0.0", data)
    head = await one(store, access(charts, oci(charts)), "shop", "1.0.0")
    with pytest.raises(RenderError, match="is no archive that can be read"):
        await unpacked(store, head, tmp_path / "out")
