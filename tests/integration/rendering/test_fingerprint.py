from typing import Any

import pytest
from tests.integration.rendering.conftest import source_of
from tests.integration.rendering.repositories import Files, Repository, manifest

from outrider.rendering.git import GitStore, PathNotFound, RepositoryAccess

FILES: dict[str, str] = {
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
}


async def digest(store: GitStore, repository: Repository, files: Files, path: str, **fields: Any) -> str:
    commit = repository.commit(files)
    await store.fetch(RepositoryAccess(repository.url), [commit])
    return (await store.fingerprint(repository.url, commit, source_of(repository.url, path, **fields))).digest


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
    ],
)
async def test_a_commit_moves_the_fingerprint_if_and_only_if_it_touches_what_the_source_reads(
    path: str, fields: dict[str, Any], changed: str, moves: bool, store: GitStore, served: Repository
) -> None:
    before = await digest(store, served, FILES, path, **fields)
    after = await digest(store, served, {**FILES, changed: FILES[changed] + " "}, path, **fields)

    assert (before != after) is moves


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
