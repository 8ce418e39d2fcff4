"""Asking an agent to do something now."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from outrider import codec, subjects
from outrider.bus.services import CONCURRENT_MAX, RequestRefused
from outrider.messages import Command, CommandReply

from .conftest import COMMIT, REPOSITORY, Edge, Fleet, application, bundle, running


async def answering(edge: Edge, reply: Callable[[Command], CommandReply]) -> list[Command]:
    heard: list[Command] = []

    async def answer(message: Any) -> None:
        command = Command.unpack(message.data)
        heard.append(command)
        await edge.connection.publish(subjects.reply(edge.name, command.request_id), reply(command).pack())

    await edge.connection.subscribe(subjects.commands_of(edge.name), answer)
    await edge.connection.flush()
    return heard


async def test_a_sync_is_asked_of_the_agent_and_its_answer_comes_back(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    heard = await answering(
        edge, lambda command: CommandReply({"app": command.arguments["app"], "result": "started"})
    )
    resources = [{"group": "", "kind": "ConfigMap", "name": "a", "namespace": ""}]
    answer = await served.ask("app.sync", name="till", prune=True, resources=resources, revision=COMMIT[:7])
    assert answer == {"app": "till", "result": "started"}
    assert heard[0].arguments == {"app": "till", "prune": True, "resources": resources}


async def test_what_the_agent_refuses_is_refused_with_its_sentence(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    await answering(edge, lambda _: CommandReply(error="application 'till' is not here (yet)"))
    with pytest.raises(RequestRefused, match="is not here"):
        await served.ask("app.sync", name="till")


async def test_a_cluster_that_is_offline_is_said_to_be(served: Fleet) -> None:
    await served.add_cluster("shop1")
    await served.ask("app.apply", manifest=application("till"))
    await served.condition("till", "")
    with pytest.raises(RequestRefused, match="cluster 'shop1' is offline"):
        await served.ask("app.sync", name="till")


async def test_a_cluster_that_is_there_but_silent_is_said_to_be(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    await edge.connection.subscribe(subjects.commands_of(edge.name), asyncio.Queue[Any]().put)
    await edge.connection.flush()
    with pytest.raises(RequestRefused, match="did not answer within 1 s"):
        await served.ask("app.sync", name="till")


async def test_clusters_that_take_their_time_keep_nobody_from_being_answered(fleet: Fleet) -> None:
    async with running(fleet.hub, command_timeout_s=60), asyncio.TaskGroup() as tasks:
        await fleet.ready()
        edge = await fleet.edge("shop1")
        await fleet.deliver(edge)
        heard = asyncio.Queue[Any]()
        await edge.connection.subscribe(subjects.commands_of(edge.name), heard.put)
        await edge.connection.flush()
        asking = [tasks.create_task(fleet.ask("app.tree", name="till")) for _ in range(CONCURRENT_MAX)]
        async with asyncio.timeout(10):
            commands = [Command.unpack((await heard.get()).data) for _ in asking]
        assert (await fleet.ask("repo.key"))["sealing_key"]
        for command in commands:
            reply = subjects.reply(edge.name, command.request_id)
            await edge.connection.publish(reply, CommandReply({"nodes": []}).pack())
        assert [(await task)["nodes"] for task in asking] == [[]] * CONCURRENT_MAX


async def test_one_cluster_cannot_answer_for_another(served: Fleet) -> None:
    edge, liar = await served.edge("shop1"), await served.edge("shop2")
    await served.deliver(edge)
    heard: asyncio.Queue[Command] = asyncio.Queue()

    async def hear(message: Any) -> None:
        heard.put_nowait(Command.unpack(message.data))

    await edge.connection.subscribe(subjects.commands_of(edge.name), hear)
    await edge.connection.flush()
    asking = asyncio.ensure_future(served.ask("app.sync", name="till"))
    command = await heard.get()
    await liar.connection.publish(subjects.reply(liar.name, command.request_id), CommandReply("lie").pack())
    await liar.connection.flush()
    await edge.connection.publish(subjects.reply(edge.name, command.request_id), b"\xc1")
    await edge.connection.publish(subjects.reply(edge.name, command.request_id), CommandReply("truth").pack())
    assert await asking == "truth"


async def test_a_sync_of_what_is_not_there_is_refused(served: Fleet) -> None:
    with pytest.raises(RequestRefused, match="there is no application 'till'"):
        await served.ask("app.sync", name="till")
    await served.ask("app.apply", manifest=application("till", "nowhere"))
    await served.condition("till", "no cluster")
    with pytest.raises(RequestRefused, match="runs nowhere"):
        await served.ask("app.sync", name="till")


async def test_a_request_is_handed_to_the_agent_with_who_asked_and_its_answer_comes_back(
    served: Fleet,
) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    heard = await answering(edge, lambda command: CommandReply({"app": command.arguments["app"]}))
    named = {"group": "apps", "kind": "Deployment", "namespace": "till", "name": "web"}
    asked: dict[str, dict[str, Any]] = {
        "terminate": {},
        "rollback": {"id": 3, "prune": True},
        "approve": {"resources": [named]},
        "tree": {},
        "diff": {"resource": named},
        "manifest": {"resource": named},
        "actions": {"resource": named},
        "action": {"resource": named, "action": "restart", "parameters": {"at": "once"}},
    }
    for verb, arguments in asked.items():
        answer = await served.ask(f"app.{verb}", name="till", initiated_by="kim", **arguments)
        assert answer["app"] == "till"
        assert heard.pop().arguments == {"app": "till", "initiated_by": "kim", **arguments}


async def test_arguments_that_no_agent_could_carry_out_are_refused_by_name(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    pod = {"kind": "Pod", "name": "a"}
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("rollback", {}, "id: give the number"),
        ("manifest", {}, "resource: name an object"),
        ("diff", {"resource": {"kind": "Pod"}}, "a kind and a name"),
        ("action", {"resource": pod}, "action: give a text"),
        ("sync", {"options": ["Force"]}, "options: 'Force' has no value"),
        ("sync", {"strategy": "magic"}, "strategy: is hook or apply"),
        ("sync", {"resources": ["a"]}, "resources: name an object"),
        ("terminate", {"initiated_by": "a\nb"}, "initiated_by: must be one line"),
    ]
    for verb, arguments, says in wrong:
        with pytest.raises(RequestRefused, match=says):
            await served.ask(f"app.{verb}", name="till", **arguments)


async def test_options_of_a_sync_stand_in_place_of_the_same_ones_of_the_application(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    heard = await answering(edge, lambda _: CommandReply("done"))
    options = ["CreateNamespace=false", "Force=true"]
    await served.ask("app.sync", name="till", options=options, strategy="apply", retry_limit=2)
    assert heard[0].arguments == {
        "app": "till",
        "options": ["CreateNamespace=false", "Force=true"],
        "strategy": "apply",
        "retry_limit": 2,
    }
    await served.ask("app.sync", name="till", options=["Replace=true"])
    assert heard[1].arguments["options"] == ["CreateNamespace=true", "Replace=true"]


async def rendering(served: Fleet, answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Answer what a renderer is asked."""
    heard: list[dict[str, Any]] = []

    async def reply(message: Any) -> None:
        heard.append({"subject": message.subject, **codec.unpack(message.data)})
        await served.renderer.publish(message.reply, codec.pack(answer))

    await served.renderer.subscribe("hub.render.default.*", reply)
    await served.renderer.flush()
    return heard


async def test_another_revision_is_rendered_first_and_its_bundle_is_synced(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.ask("app.apply", manifest=application("till", syncPolicy={}))
    await served.render(await served.wanted(), bundle("a"))
    await edge.next()
    await served.until(lambda found: found["desired"], "app.get", name="till")
    heard = await answering(edge, lambda _: CommandReply("done"))
    asked = await rendering(served, {"revision": "f" * 40, "digest": b"d" * 32})
    assert await served.ask("app.sync", name="till", revision="v2") == "done"
    assert heard[0].arguments == {"app": "till", "revision": "f" * 40, "digest": b"d" * 32}
    (wanted,) = asked
    assert (wanted["subject"], wanted["revision"]) == ("hub.render.default.render", "v2")
    assert (wanted["source"]["path"], wanted["repo_url"]) == ("till", REPOSITORY)


async def test_an_application_that_syncs_by_itself_is_not_synced_to_another_revision(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    with pytest.raises(RequestRefused, match="would go back to that at once"):
        await served.ask("app.sync", name="till", revision="v2")


async def test_a_refresh_looks_at_the_repositories_even_if_the_cluster_is_offline(served: Fleet) -> None:
    await served.add_cluster("shop1")
    await served.ask("app.apply", manifest=application("till"))
    await served.condition("till", "")
    with pytest.raises(RequestRefused, match=r"no renderer of pool 'default'.*cluster 'shop1' is offline"):
        await served.ask("app.refresh", name="till")
    asked = await rendering(served, {"revisions": {"main": COMMIT}})
    answer = await served.ask("app.refresh", name="till", hard=True)
    assert answer["revisions"] == {REPOSITORY: {"main": COMMIT}}
    assert "cluster 'shop1' is offline" in answer["warnings"][0]
    assert asked == [{"subject": "hub.render.default.refresh", "url": REPOSITORY}]


async def test_an_operation_in_a_manifest_is_carried_out_once_and_not_stored(served: Fleet) -> None:
    edge = await served.edge("shop1")
    await served.deliver(edge)
    manifest = (await served.ask("app.get", name="till"))["manifest"]
    heard = await answering(edge, lambda _: CommandReply("done"))
    operation = {"sync": {"prune": True}, "initiatedBy": {"username": "somebody else"}}
    asked = {**manifest, "operation": operation}
    answer = await served.ask("app.apply", manifest=asked, initiated_by="kim")
    assert (answer["result"], answer["warnings"]) == ("unchanged", [])
    assert heard[0].arguments == {"app": "till", "prune": True, "initiated_by": "kim"}
    assert (await served.ask("app.get", name="till"))["manifest"] == manifest
    asked["metadata"] = {**manifest["metadata"], "labels": {"a": "b"}}
    answer = await served.ask("app.apply", manifest=asked)
    assert "operation: not carried out" in answer["warnings"][0]
    assert len(heard) == 1


async def test_an_operation_that_nobody_hears_is_a_warning_and_the_manifest_is_stored(served: Fleet) -> None:
    await served.add_cluster("shop1")
    await served.ask("app.apply", manifest=application("till"))
    await served.condition("till", "")
    answer = await served.ask("app.apply", manifest={**application("till"), "operation": {"sync": {}}})
    assert "operation: not carried out: cluster 'shop1' is offline" in answer["warnings"][0]
