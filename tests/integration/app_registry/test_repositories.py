"""Registered repositories."""

import pytest

from outrider.bus.services import RequestRefused
from outrider.identity import hub_state, sealing

from .conftest import REPOSITORY, Fleet, application


async def test_credentials_are_stored_as_they_were_sealed_and_shown_to_nobody(served: Fleet) -> None:
    key = (await served.ask("repo.key"))["sealing_key"]
    sealed = sealing.seal({"password": "hunter2"}, key)
    added = await served.ask(
        "repo.add", url=REPOSITORY, sealed=sealed, public={"username": "bot", "kind": "password"}
    )
    assert added == {"url": REPOSITORY, "result": "created"}
    listed = await served.until(lambda answer: answer["items"], "repo.list")
    (item,) = listed["items"]
    assert item["public"] == {"username": "bot", "kind": "password"}
    assert (item["has_credentials"], item["pool"]) == (True, "default")
    assert "hunter2" not in str(listed)
    assert str(sealed) not in str(listed)
    # The registry holds no key that opens them.
    keys = hub_state.RegistryKeys.load(served.hub.state / "registry.json")
    assert "sealing" not in str(sorted(keys.trust))


async def test_changing_one_thing_of_a_repository_keeps_the_others(served: Fleet) -> None:
    await served.add_pool("private")
    await served.ask("repo.add", url=REPOSITORY, pool="private", sealed=b"x" * 48)
    assert (await served.ask("repo.add", url=REPOSITORY, pool="private"))["result"] == "unchanged"
    assert (await served.ask("repo.add", url=REPOSITORY, public={"kind": "none"}))["result"] == "updated"
    listed = await served.until(lambda a: a["items"] and a["items"][0]["public"], "repo.list")
    assert (listed["items"][0]["pool"], listed["items"][0]["has_credentials"]) == ("private", True)


async def test_sources_follow_their_repository_to_its_pool_and_back(served: Fleet) -> None:
    await served.ask("app.apply", manifest=application("till"))
    await served.wanted(lambda record: record.pool == "default")
    await served.add_pool("private")
    await served.ask("repo.add", url=REPOSITORY, pool="private")
    await served.wanted(lambda record: record.pool == "private")
    assert len(await served.sources()) == 1
    await served.ask("repo.remove", url=REPOSITORY)
    await served.wanted(lambda record: record.pool == "default")


async def test_an_application_may_spell_a_registered_repository_as_it_likes(served: Fleet) -> None:
    await served.add_pool("private")
    await served.ask("repo.add", url=REPOSITORY, pool="private")
    await served.until(lambda answer: answer["items"], "repo.list")
    for name, url in (
        ("till-a", "https://GIT.example.com/shops"),
        ("till-b", "https://git.example.com:443/shops/"),
    ):
        manifest = application(name)
        manifest["spec"]["source"]["repoURL"] = url
        await served.ask("app.apply", manifest=manifest)
    await served.until(lambda a: a["items"][0]["applications"] == 2, "repo.list")
    (record,) = (await served.sources()).values()
    assert (record.repo_url, record.source["repoURL"], record.pool) == (REPOSITORY, REPOSITORY, "private")


@pytest.mark.parametrize(
    "url", ["", "ext::sh -c id", "https://user:secret@git.example.com/a", "/etc", "ftp://a/b", "-oProxyCommand=x:y"]
)  # fmt: skip
async def test_a_url_that_is_no_repository_is_refused_without_repeating_a_secret(
    served: Fleet, url: str
) -> None:
    with pytest.raises(RequestRefused) as refusal:
        await served.ask("repo.add", url=url)
    assert "secret" not in str(refusal.value)


async def test_a_pool_is_a_name(served: Fleet) -> None:
    for pool in ("*", "a.b", ">"):
        with pytest.raises(RequestRefused, match="pool"):
            await served.ask("repo.add", url=REPOSITORY, pool=pool)


async def test_a_repository_is_registered_once_whatever_its_spelling(served: Fleet) -> None:
    await served.ask("repo.add", url=REPOSITORY)
    await served.until(lambda answer: answer["items"], "repo.list")
    with pytest.raises(RequestRefused, match=f"registered as {REPOSITORY}"):
        await served.ask("repo.add", url=REPOSITORY.removesuffix(".git"))
    with pytest.raises(RequestRefused, match="there is no repository"):
        await served.ask("repo.remove", url="https://git.example.com/other")
