import asyncio
from pathlib import Path

import pytest
from tests.integration.rendering.conftest import source_of
from tests.integration.rendering.repositories import Repository, manifest
from tests.integration.rendering.servers import PASSWORD, USERNAME, Certificate, HttpsServer, SshServer

from outrider.rendering.git import GitStore, RepositoryAccess, RevisionNotFound


def https_access(server: HttpsServer, certificate: Certificate) -> RepositoryAccess:
    return RepositoryAccess(
        f"{server.url}/team/app.git", username=USERNAME, password=PASSWORD, tls_ca=certificate.pem
    )


def ssh_access(server: SshServer) -> RepositoryAccess:
    return RepositoryAccess(
        server.url("team/app.git"), ssh_private_key=server.private_key, ssh_known_hosts=server.known_hosts
    )


@pytest.fixture(params=["file", "https", "ssh"])
def access(request: pytest.FixtureRequest, served: Repository) -> RepositoryAccess:
    """The same repository by each transport."""
    match request.param:
        case "https":
            return https_access(request.getfixturevalue("https"), request.getfixturevalue("certificate"))
        case "ssh":
            return ssh_access(request.getfixturevalue("ssh"))
        case _:
            return RepositoryAccess(served.url)


async def test_branches_tags_commits_and_head_are_resolved_over_every_transport(
    served: Repository, access: RepositoryAccess, store: GitStore
) -> None:
    first = served.commit({"app/a.yaml": manifest("one")})
    served.tag("v1", first)
    tag = served.tag("v1-annotated", first, annotated=True)
    second = served.commit({"app/a.yaml": manifest("two")})
    release = served.commit({"app/a.yaml": manifest("three")}, branch="release/1")

    heads = await store.fetch(
        access, ["HEAD", "main", "release/1", "refs/heads/main", "v1", "v1-annotated", first, second[:8], tag]
    )

    assert heads == {
        "HEAD": second,
        "main": second,
        "release/1": release,
        "refs/heads/main": second,
        "v1": first,
        "v1-annotated": first,
        first: first,
        second[:8]: second,
        tag: first,
    }


async def test_a_revision_that_does_not_exist_is_named_with_near_matches_and_does_not_hide_the_others(
    served: Repository, access: RepositoryAccess, store: GitStore
) -> None:
    commit = served.commit({"app/a.yaml": manifest("one")})

    heads = await store.fetch(access, ["main", "mian", "0" * 40, "abcdef012"])

    assert heads["main"] == commit
    assert "'mian' does not exist in the repository; did you mean main?" in str(heads["mian"])
    assert isinstance(heads["0" * 40], RevisionNotFound)
    assert isinstance(heads["abcdef012"], RevisionNotFound)


async def test_an_abbreviated_commit_inside_the_history_is_found(
    served: Repository, access: RepositoryAccess, store: GitStore
) -> None:
    commits = [served.commit({"app/a.yaml": manifest(f"v{number}")}) for number in range(5)]
    await store.fetch(access, ["main"])

    assert await store.fetch(access, [commits[1][:10]]) == {commits[1][:10]: commits[1]}


async def test_a_branch_is_taken_before_a_tag_of_the_same_name(served: Repository, store: GitStore) -> None:
    first = served.commit({"a.yaml": manifest("one")})
    second = served.commit({"a.yaml": manifest("two")})
    served.tag("main", first)

    assert await store.fetch(RepositoryAccess(served.url), ["main", "refs/tags/main"]) == {
        "main": second,
        "refs/tags/main": first,
    }


async def test_a_rewritten_branch_is_followed(
    served: Repository, access: RepositoryAccess, store: GitStore
) -> None:
    served.commit({"app/a.yaml": manifest("one")})
    await store.fetch(access, ["main"])
    del served.repo.refs[b"refs/heads/main"]  # type: ignore[arg-type]
    rewritten = served.commit({"app/a.yaml": manifest("other")})

    assert await store.fetch(access, ["main"]) == {"main": rewritten}


async def test_a_repository_without_a_commit_says_so(store: GitStore, served: Repository) -> None:
    heads = await store.fetch(RepositoryAccess(served.url), ["HEAD"])

    assert "no branch yet" in str(heads["HEAD"])


async def test_a_repository_that_has_not_moved_costs_one_request(
    served: Repository, https: HttpsServer, certificate: Certificate, store: GitStore
) -> None:
    served.commit({"app/a.yaml": manifest("one")})
    access = https_access(https, certificate)
    await store.fetch(access, ["main"])
    https.requests.lines.clear()

    await store.fetch(access, ["main"])

    assert https.requests.lines == ["GET /team/app.git/info/refs"]


async def test_a_commit_that_is_here_already_costs_no_request(
    served: Repository, https: HttpsServer, certificate: Certificate, store: GitStore
) -> None:
    commit = served.commit({"app/a.yaml": manifest("one")})
    access = https_access(https, certificate)
    await store.fetch(access, ["main"])
    https.requests.lines.clear()

    assert await store.fetch(access, [commit]) == {commit: commit}
    assert https.requests.lines == []


async def test_history_is_not_fetched(served: Repository, access: RepositoryAccess, store: GitStore) -> None:
    first = served.commit({"app/a.yaml": manifest("one")})
    second = served.commit({"app/a.yaml": manifest("two")})
    await store.fetch(access, ["main"])

    with pytest.raises(RevisionNotFound, match="has not been fetched"):
        await store.fingerprint(access.url, first, source_of(access.url, "app"))
    assert (await store.fingerprint(access.url, second, source_of(access.url, "app"))).digest


async def test_many_moves_leave_a_clone_that_works_and_stays_small(
    served: Repository, store: GitStore, tmp_path: Path
) -> None:
    access = RepositoryAccess(served.url)
    for number in range(45):
        commit = served.commit({"app/a.yaml": manifest(f"v{number}")})
        assert await store.fetch(access, ["main"]) == {"main": commit}
        await store.fingerprint(access.url, commit, source_of(access.url, "app"))

    assert len(list((tmp_path / "store").rglob("*.pack"))) < 40


async def test_a_clone_that_can_not_be_read_is_set_aside_and_fetched_again(
    served: Repository, store: GitStore, tmp_path: Path
) -> None:
    access = RepositoryAccess(served.url)
    served.commit({"app/a.yaml": manifest("one")})
    await store.fetch(access, ["main"])
    for pack in (tmp_path / "store").rglob("*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(b"PACK" + b"\0" * (pack.stat().st_size - 4))

    second = served.commit({"app/a.yaml": manifest("two"), "app/b.yaml": manifest("b")})
    heads = await store.fetch(access, ["main"])

    assert heads == {"main": second}
    async with store.export(access.url, second, source_of(access.url, "app")) as export:
        assert sorted(path.name for path in (export.root / "app").iterdir()) == ["a.yaml", "b.yaml"]


async def test_a_clone_found_damaged_while_reading_is_named_and_the_next_fetch_mends_it(
    served: Repository, tmp_path: Path
) -> None:
    from outrider.rendering.git import CloneDamaged

    access, source = RepositoryAccess(served.url), source_of(served.url, "app")
    commit = served.commit({"app/a.yaml": manifest("one")})
    async with GitStore(tmp_path / "store") as store:
        await store.fetch(access, ["main"])
    for pack in (tmp_path / "store").rglob("*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:40])
    async with GitStore(tmp_path / "store") as store:
        with pytest.raises(CloneDamaged, match="is fetched again"):
            await store.fingerprint(access.url, commit, source)
        assert await store.fetch(access, ["main"]) == {"main": commit}
        assert (await store.fingerprint(access.url, commit, source)).digest


async def test_a_store_that_starts_again_goes_on_with_its_clones(
    served: Repository, https: HttpsServer, certificate: Certificate, tmp_path: Path
) -> None:
    commit = served.commit({"app/a.yaml": manifest("one")})
    access = https_access(https, certificate)
    async with GitStore(tmp_path / "store") as store:
        await store.fetch(access, ["main"])
    https.requests.lines.clear()
    async with GitStore(tmp_path / "store") as store:
        await store.fetch(access, ["main"])
        assert (await store.fingerprint(access.url, commit, source_of(access.url, "app"))).digest

    assert https.requests.lines == ["GET /team/app.git/info/refs"]


async def test_fetches_of_one_repository_at_a_time_give_the_same_answer(
    served: Repository, access: RepositoryAccess, store: GitStore
) -> None:
    commit = served.commit({"app/a.yaml": manifest("one")})

    answers = await asyncio.gather(*(store.fetch(access, ["main"]) for _ in range(5)))

    assert answers == [{"main": commit}] * 5


async def test_clones_of_all_repositories_but_some_are_removed(served: Repository, tmp_path: Path) -> None:
    other = Repository(tmp_path / "other.git")
    for repository in (served, other):
        repository.commit({"app/a.yaml": manifest("one")})
    async with GitStore(tmp_path / "store") as store:
        for repository in (served, other):
            await store.fetch(RepositoryAccess(repository.url), ["main"])
        await store.retain([other.url, "no URL at all"])
        assert len(list((tmp_path / "store" / "clones").iterdir())) == 1
        commit = served.commit({"app/a.yaml": manifest("two")})
        assert await store.fetch(RepositoryAccess(served.url), ["main"]) == {"main": commit}
    async with GitStore(tmp_path / "store") as store:
        await store.retain([])
        assert list((tmp_path / "store" / "clones").iterdir()) == []
