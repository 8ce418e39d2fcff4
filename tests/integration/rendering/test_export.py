from pathlib import Path

import pytest
from tests.integration.rendering.conftest import source_of
from tests.integration.rendering.repositories import Files, Link, Repository, Submodule, manifest

from outrider.rendering.errors import RenderError
from outrider.rendering.git import ExportLimits, GitStore, PathNotFound, RepositoryAccess
from outrider.spec.source import SourceKind

CANARY = "canary-7f3a"
CHART = "apiVersion: v2\nname: shop\nversion: 1.0.0\n"


async def exported(
    store: GitStore, repository: Repository, files: Files, path: str = "app", **fields: object
) -> dict[str, str]:
    """Return the exported files, by their path from the repository's root."""
    commit = repository.commit(files)
    await store.fetch(RepositoryAccess(repository.url), [commit])
    async with store.export(repository.url, commit, source_of(repository.url, path, **fields)) as export:
        found = [path for path in export.root.rglob("*") if not path.is_dir()]
        assert not any(path.is_symlink() for path in found)
        texts = {path.relative_to(export.root).as_posix(): path.read_text() for path in found}
    assert not export.root.exists()
    return texts


async def test_only_what_the_source_reads_is_exported(store: GitStore, served: Repository) -> None:
    files = {
        "app/a.yaml": "a",
        "app/README.md": "no manifest",
        "app/below/b.yaml": "b",
        "other/secret.yaml": CANARY,
        "root.yaml": "r",
    }

    assert await exported(store, served, files) == {"app/a.yaml": "a"}
    recursive = await exported(store, served, files, directory={"recurse": True})
    assert set(recursive) == {"app/a.yaml", "app/README.md", "app/below/b.yaml"}
    assert await exported(store, served, files, ".") == {"root.yaml": "r"}


async def test_the_bases_of_a_kustomization_are_exported_with_it(store: GitStore, served: Repository) -> None:
    files = {
        "apps/prod/kustomization.yaml": "resources:\n- ../../base  # not ../../unused\n- ./own.yaml\n",
        "apps/prod/own.yaml": "own",
        "base/kustomization.yml": 'resources: ["../common", deployment.yaml]\n',
        "base/deployment.yaml": "d",
        "common/kustomization.yaml": "resources: [c.yaml]",
        "common/c.yaml": "c",
        "unused/kustomization.yaml": CANARY,
        "components/extra/kustomization.yaml": "kind: Component",
    }
    base = {path: text for path, text in files.items() if not path.startswith(("unused", "components"))}

    assert await exported(store, served, files, "apps/prod") == base
    with_component = await exported(
        store, served, files, "apps/prod", kustomize={"components": ["../../components/extra"]}
    )
    assert set(with_component) == {*base, "components/extra/kustomization.yaml"}


async def test_value_files_and_local_charts_are_exported_with_a_chart(
    store: GitStore, served: Repository
) -> None:
    dependency = "dependencies:\n- name: common\n  version: 1.0.0\n  repository: file://../common\n"
    files = {
        "charts/shop/Chart.yaml": CHART + dependency,
        "charts/common/Chart.yaml": "c",
        "values/prod.yaml": "prod",
        "values/other.yaml": CANARY,
        "root.yaml": "root",
        "charts/shop/files/ca.pem": "ca",
    }

    found = await exported(
        store,
        served,
        files,
        "charts/shop",
        helm={"valueFiles": ["../../values/prod.yaml", "/root.yaml", "missing.yaml"]},
    )

    assert found == {
        "charts/shop/Chart.yaml": CHART + dependency,
        "charts/shop/files/ca.pem": "ca",
        "charts/shop/charts/common/Chart.yaml": "c",
        "charts/common/Chart.yaml": "c",
        "values/prod.yaml": "prod",
        "root.yaml": "root",
    }


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"app/a.yaml": ""}, SourceKind.DIRECTORY),
        ({"app/Chart.yaml": ""}, SourceKind.HELM),
        ({"app/kustomization.yml": ""}, SourceKind.KUSTOMIZE),
        ({"app/Kustomization": ""}, SourceKind.KUSTOMIZE),
        ({"app/Chart.yaml": "", "app/kustomization.yaml": ""}, SourceKind.KUSTOMIZE),
        ({"app/below/Chart.yaml": "", "app/a.yaml": ""}, SourceKind.DIRECTORY),
    ],
)
async def test_the_tool_is_found_as_argo_cd_finds_it(
    files: Files, kind: SourceKind, store: GitStore, served: Repository
) -> None:
    commit = served.commit(files)
    await store.fetch(RepositoryAccess(served.url), ["main"])

    assert (await store.fingerprint(served.url, commit, source_of(served.url, "app"))).kind is kind
    named = source_of(served.url, "app", directory={})
    assert (await store.fingerprint(served.url, commit, named)).kind is SourceKind.DIRECTORY


async def test_a_path_that_does_not_exist_is_named(store: GitStore, served: Repository) -> None:
    commit = served.commit({"app/a.yaml": "a", "link": Link("app/a.yaml"), "out": Link("../app")})
    await store.fetch(RepositoryAccess(served.url), ["main"])
    for path, reason in (
        ("apps", "does not exist"),
        ("app/a.yaml", "is no folder"),
        ("link", "is no folder"),
        ("out", "does not exist"),
    ):
        with pytest.raises(PathNotFound, match=f"path '{path}' {reason}"):
            await store.fingerprint(served.url, commit, source_of(served.url, path))


async def test_links_inside_what_is_exported_become_what_they_point_to(
    store: GitStore, served: Repository
) -> None:
    files: Files = {
        "app/Chart.yaml": CHART,
        "app/files/real.txt": "real",
        "app/files/file-link": Link("real.txt"),
        "app/folder-link": Link("files"),
        "app/chain": Link("./folder-link/../files/file-link"),
        "values/prod.yaml": "prod",
        "app/values-link": Link("../values/prod.yaml"),
    }

    found = await exported(store, served, files, helm={"valueFiles": ["../values/prod.yaml"]})

    assert found == {
        "app/Chart.yaml": CHART,
        "app/files/real.txt": "real",
        "app/files/file-link": "real",
        "app/folder-link/real.txt": "real",
        "app/folder-link/file-link": "real",
        "app/chain": "real",
        "app/values-link": "prod",
        "values/prod.yaml": "prod",
    }


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("../../outside", "leaves the repository"),
        ("../../../../../../etc/hostname", "leaves the repository"),
        ("/etc/hostname", "leaves the repository"),
        ("../.git/config", "leaves the repository"),
        ("../.GIT/HEAD", "leaves the repository"),
        ("loop-a", "leads back to itself"),
        ("itself.yaml", "leads back to itself"),
        (".", "a folder that it lies in"),
        ("nothing.yaml", "does not exist"),
        ("below/../../app/below/up/up/../..", "a folder that it lies in"),
        ("submodule/file", "does not exist"),
    ],
)
async def test_a_link_out_of_the_repository_is_refused_by_name(
    link: str, reason: str, store: GitStore, served: Repository
) -> None:
    files: Files = {
        "app/itself.yaml": Link(link),
        "app/loop-a": Link("loop-b"),
        "app/loop-b": Link("loop-a"),
        "app/below/up": Link(".."),
        "app/submodule": Submodule(),
        "secret.yaml": CANARY,
    }
    # The other links are refused as well: only the one that is tried stays.
    kept = {"app/itself.yaml", "secret.yaml", *_needed(link)}
    tried = {path: files[path] for path in files if path in kept}

    with pytest.raises(RenderError, match=reason) as refused:
        await exported(store, served, tried, directory={"recurse": True})

    assert refused.value.file is not None
    assert CANARY not in str(refused.value)


def _needed(link: str) -> set[str]:
    if link.startswith("loop"):
        return {"app/loop-a", "app/loop-b"}
    return {f"app/{name}" for name in ("below/up", "submodule") if name.split("/")[0] in link}


async def test_links_to_elsewhere_in_the_repository_become_what_they_point_to(
    store: GitStore, served: Repository
) -> None:
    files: Files = {
        "app/a.yaml": Link("../shared/hop.yaml"),
        "app/below": Link("../neighbour"),
        "shared/hop.yaml": Link("real/b.yaml"),
        "shared/real/b.yaml": "b",
        "neighbour/c.yaml": "c",
        "neighbour/d.yaml": Link("../shared/real/b.yaml"),
        "current": Link("app"),
    }

    written = {"app/a.yaml": "b", "app/below/c.yaml": "c", "app/below/d.yaml": "b"}
    found = await exported(store, served, files, directory={"recurse": True})
    assert {path: text for path, text in found.items() if path.startswith("app/")} == written
    assert await exported(store, served, files, "current", directory={"recurse": True}) == found
    chart: Files = {
        "app/Chart.yaml": CHART,
        "v": Link("values"),
        "values/prod.yaml": "prod",
        "e": Link("envs"),
        "envs/x.yaml": "x",
    }
    found = await exported(store, served, chart, helm={"valueFiles": ["../v/prod.yaml", "../e/x.yaml"]})
    assert (found["v/prod.yaml"], found["e/x.yaml"]) == ("prod", "x")


async def test_links_beside_manifests_are_followed_and_those_that_are_no_manifests_are_left_alone(
    store: GitStore, served: Repository
) -> None:
    files: Files = {
        "app/a.yaml": "a",
        "app/link.yaml": Link("real.txt"),
        "app/real.txt": "real",
        "app/README.md": Link("../README.md"),
        "README.md": "read me",
        "app/below/b.yaml": "b",
    }

    found = await exported(store, served, files)

    assert found == {"app/a.yaml": "a", "app/link.yaml": "real", "app/real.txt": "real"}


async def test_submodules_are_left_out(store: GitStore, served: Repository) -> None:
    files: Files = {"app/a.yaml": "a", "app/vendored": Submodule(), ".gitmodules": "[submodule]"}

    assert await exported(store, served, files, directory={"recurse": True}) == {"app/a.yaml": "a"}


@pytest.mark.parametrize("name", [".git", ".GIT", ".."])
async def test_names_that_no_file_may_have_are_refused(
    name: str, store: GitStore, served: Repository
) -> None:
    with pytest.raises(RenderError, match="a name that no file may have"):
        await exported(store, served, {"app": {"below": {name: "x"}}}, directory={"recurse": True})


async def test_names_of_any_bytes_are_exported(store: GitStore, served: Repository) -> None:
    name = b"na\xffme\n.yaml".decode("utf-8", "surrogateescape")

    assert await exported(store, served, {f"app/{name}": "a"}) == {f"app/{name}": "a"}


async def test_too_many_files_bytes_or_folders_are_refused(served: Repository, tmp_path: Path) -> None:
    limits = ExportLimits(max_files=10, max_bytes=1000, max_depth=5)
    async with GitStore(tmp_path / "store", export_limits=limits) as store:
        for files, reason in (
            ({f"app/{number}.yaml": "x" for number in range(11)}, "reads more than 10 files"),
            ({"app/a.yaml": "x" * 600, "app/b.yaml": "x" * 600}, "reads more than"),
            ({"app/" + "d/" * 7 + "a.yaml": "x"}, "nested deeper than 5 folders"),
        ):
            with pytest.raises(RenderError, match=reason):
                await exported(store, served, files, directory={"recurse": True})
    assert not list((tmp_path / "store" / "exports").iterdir())


async def test_a_hundred_thousand_files_are_refused_without_being_written(
    store: GitStore, served: Repository
) -> None:
    files = {"app": {f"{number}.yaml": "a: 1" for number in range(100_000)}}

    with pytest.raises(RenderError, match="reads more than 20000 files"):
        await exported(store, served, files)


async def test_links_that_multiply_are_bounded(served: Repository, tmp_path: Path) -> None:
    files: dict[str, str | Link] = {"app/0/a.yaml": manifest("a")}
    for level in range(1, 20):
        for copy in range(10):
            files[f"app/{level}/{copy}"] = Link(f"../{level - 1}")

    async with GitStore(tmp_path / "store", export_limits=ExportLimits(max_files=1000)) as store:
        with pytest.raises(RenderError, match="more than 1000 files"):
            await exported(store, served, files, directory={"recurse": True})
