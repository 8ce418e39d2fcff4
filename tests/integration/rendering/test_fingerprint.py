from typing import Any

import pytest
from tests.integration.rendering.conftest import source_of
from tests.integration.rendering.repositories import Files, Link, Repository, manifest

from outrider.rendering.git import GitStore, PathNotFound, RepositoryAccess
from outrider.spec.source import ApplicationSource

FILES: Files = {
    "plain/a.yaml": manifest("a"),
    "plain/README.md": "read me",
    "plain/below/b.yaml": manifest("b"),
    "overlay/kustomization.yaml": "resources: [../base]\n",
    "base/kustomization.yaml": "resources: [c.yaml]\n",
    "base/c.yaml": manifest("c"),
    "chart/Chart.yaml": "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
    "chart/values.yaml": "a: 1",
    "values/prod.yaml": "a: 2",
    "unrelated.txt": "x",
    "linked/a.yaml": Link("../elsewhere/hop.yaml"),
    "elsewhere/hop.yaml": Link("real.yaml"),
    "elsewhere/real.yaml": manifest("d"),
    "v": Link("values"),
    "jsonnet/main.jsonnet": "(import '../lib/a.libsonnet') + import 'b.libsonnet'",
    "lib/a.libsonnet": "import 'deep/c.libsonnet'",
    "lib/deep/c.libsonnet": "{}",
    "vendor/b.libsonnet": "{}",
    "overridden/a.yaml": manifest("e"),
    "overridden/.argocd-source.yaml": "directory: {recurse: true}",
}


async def digest(store: GitStore, repository: Repository, files: Files, path: str, **fields: Any) -> str:
    return await found(store, repository, files, source_of(repository.url, path, **fields))


async def found(store: GitStore, repository: Repository, files: Files, source: ApplicationSource) -> str:
    commit = repository.commit(files)
    await store.fetch(RepositoryAccess(repository.url), [commit])
    return (await store.fingerprint(repository.url, commit, source)).digest


@pytest.mark.parametrize(
    ("path", "fields", "changed", "moves"),
    [
        ("plain", {}, "unrelated.txt", False),
        ("plain", {}, "plain/a.yaml", True),
        ("plain", {}, "plain/README.md", False),
        ("plain", {}, "plain/below/b.yaml", False),
        ("plain", {"directory": {"recurse": True}}, "plain/below/b.yaml", True),
        ("plain", {"directory": {"disableExtensionFilter": True}}, "plain/README.md", True),
        ("overlay", {}, "base/c.yaml", True),
        ("overlay", {}, "overlay/kustomization.yaml", True),
        ("overlay", {}, "plain/a.yaml", False),
        ("chart", {}, "chart/values.yaml", True),
        ("chart", {}, "values/prod.yaml", False),
        ("chart", {"helm": {"valueFiles": ["../values/prod.yaml"]}}, "values/prod.yaml", True),
        (
            "chart",
            {"helm": {"fileParameters": [{"name": "a", "path": "/values/prod.yaml"}]}},
            "values/prod.yaml",
            True,
        ),
        ("chart", {"helm": {"valueFiles": ["../values/*.yaml"]}}, "values/prod.yaml", True),
        ("chart", {"helm": {"valueFiles": ["../values/*.yaml"]}}, "values/new.yaml", True),
        ("chart", {"helm": {"valueFiles": ["../values/*.yaml"]}}, "values/below/new.yaml", False),
        ("chart", {"helm": {"valueFiles": ["/values/**/new.yaml"]}}, "values/below/new.yaml", True),
        ("chart", {"helm": {"valueFiles": ["/v/prod.yaml"]}}, "values/prod.yaml", True),
        ("chart", {"helm": {"valueFiles": ["/v/new.yaml"]}}, "values/new.yaml", True),
        ("chart", {"helm": {"valueFiles": ["/v/prod.yaml"]}}, "v", True),
        ("linked", {}, "elsewhere/real.yaml", True),
        ("linked", {}, "elsewhere/hop.yaml", True),
        ("linked", {}, "elsewhere/new.yaml", False),
        ("jsonnet", {}, "lib/deep/c.libsonnet", True),
        ("jsonnet", {}, "lib/new.libsonnet", False),
        ("jsonnet", {}, "vendor/b.libsonnet", False),
        ("jsonnet", {"directory": {"jsonnet": {"libs": ["vendor"]}}}, "vendor/b.libsonnet", True),
        ("jsonnet", {"directory": {"recurse": True}}, "jsonnet/b.libsonnet", True),
        ("overridden", {}, "overridden/.argocd-source.yaml", False),
        ("overridden", {"kustomize": {}}, "overridden/.argocd-source.yaml", False),
        ("overridden", {"kustomize": {}}, "overridden/new.yaml", True),
    ],
)
async def test_a_commit_moves_the_fingerprint_if_and_only_if_it_touches_what_the_source_reads(
    path: str, fields: dict[str, Any], changed: str, moves: bool, store: GitStore, served: Repository
) -> None:
    first = await digest(store, served, FILES, path, **fields)
    files = {**FILES, changed: _other(FILES.get(changed))}
    # One object, so that what is remembered of the first commit answers for the second.
    source = source_of(served.url, path, **fields)
    before = await found(store, served, FILES, source)
    after = await found(store, served, files, source)

    assert before == first
    assert (before != after) is moves
    assert after == await digest(store, served, files, path, **fields)


def _other(content: object) -> str | Link:
    return Link("elsewhere") if isinstance(content, Link) else f"{content or ''} "


async def test_the_options_of_the_source_are_part_of_the_fingerprint(
    store: GitStore, served: Repository
) -> None:
    options: list[dict[str, Any]] = [
        {},
        {"helm": {"values": "a: 1"}},
        {"helm": {"values": "a: 2"}},
        {"helm": {"parameters": [{"name": "a", "value": "1"}]}},
        {"helm": {"skipCrds": True}},
    ]
    digests = [await digest(store, served, FILES, "chart", **fields) for fields in options]

    assert len(set(digests)) == len(options)
    assert await digest(store, served, FILES, "chart", helm={}) == digests[0]


async def test_the_fingerprints_of_many_sources_are_found_at_once_and_one_without_a_path_hides_no_other(
    store: GitStore, served: Repository
) -> None:
    files = {f"apps/{number}/a.yaml": manifest(f"a{number}") for number in range(1000)}
    before = served.commit(files)
    after = served.commit({**files, "apps/7/a.yaml": manifest("changed")})
    await store.fetch(RepositoryAccess(served.url), [before, after])
    sources = [source_of(served.url, f"apps/{number}") for number in [*range(1000), 5000]]

    first = await store.fingerprints(served.url, before, sources)
    second = await store.fingerprints(served.url, after, sources)

    assert [index for index in range(1000) if first[index] != second[index]] == [7]
    assert isinstance(first[1000], PathNotFound)
