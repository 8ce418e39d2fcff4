"""Asking an agent to do something now."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from outrider import subjects
from outrider.bus.services import RequestRefused
from outrider.messages import Command, CommandReply

from .conftest import COMMIT, Edge, Fleet, application


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
    edge = await served.edge("shop1")
    await served.deliver(edge, "menu")
    with pytest.raises(RequestRefused, match="another one is not supported yet"):
        await served.ask("app.sync", name="menu", revision="main")
