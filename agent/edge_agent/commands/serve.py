"""Commands from the hub: `fleet.<cluster>.command.<verb>`, answered on `fleet.<cluster>.reply.<id>`.

Only the hub's account can publish there. A command is carried out at most once for each message and never makes
the agent fail: what can't be done is answered with a sentence.

What is asked of an application is taken in at once, in the order in which it comes. What looks at the cluster, or
at Git, takes its time beside that, a few at a time; more of them wait, and more still are refused. A look that takes
too long ends with a sentence: who asked doesn't wait any more.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import structlog

from edge_agent.applications import Applications, BundleLost
from edge_agent.cluster import ClusterError
from edge_agent.commands import actions, looking, rendering, sync
from edge_agent.commands.arguments import CannotDo
from edge_agent.commands.replies import TooLong, replies
from edge_agent.commands.site import Site
from edge_agent.link.allowance import Allowance
from edge_agent.link.budget import Lane
from edge_agent.link.rejections import Rejections
from edge_agent.link.reply import send
from edge_agent.rendering.requests import Requests as RenderingRequests
from outrider import subjects
from outrider.bus import BusError, Connection, Message
from outrider.codec import MalformedMessage
from outrider.messages import Command, CommandReply
from outrider.names import AppName, ClusterName

_log = structlog.get_logger()

Verb = Callable[[Command, Site], Any]

# Answered at once; a sync of another revision, where the application is rendered here, once that is rendered.
VERBS: Mapping[str, Verb] = {
    "status": looking.status,
    "get": looking.get,
    "sync": sync.sync,
    "rollback": sync.rollback,
    "terminate": sync.terminate,
    "approve": sync.approve,
    "fetch": rendering.fetch,
}
# Begun at once, and awaited beside what comes next: they look at the cluster.
LOOKS: Mapping[str, Verb] = {
    "tree": looking.tree,
    "diff": looking.diff,
    "manifest": looking.manifest,
    "actions": actions.actions,
    "action": actions.action,
}

# As those, but they wait for Git first.
ERRANDS: Mapping[str, Verb] = {"refresh": sync.refresh}

# Looks at the cluster at a time. Each holds some MiB.
LOOKS_AT_A_TIME = 2
# Looks that wait for their turn; more are refused.
LOOKS_WAITING_MAX = 16
# Below the time for which the hub waits for an answer.
LOOK_TIMEOUT_S = 14.0
_STARTING = "the agent is starting; ask again"


class Commands:
    """Serves the hub's commands: `start` hears them, `run` carries out those that look at the cluster."""

    def __init__(
        self,
        connection: Connection,
        cluster: ClusterName,
        applications: Applications,
        resend: Callable[[list[AppName] | None], None],
        allowance: Allowance,
        *,
        look_timeout_s: float = LOOK_TIMEOUT_S,
        rendering: RenderingRequests | None = None,
    ) -> None:
        self._connection, self._cluster, self._allowance = connection, cluster, allowance
        self._site = Site(cluster, applications, resend, rendering)
        self._rejections = Rejections()
        self._tasks: asyncio.TaskGroup | None = None
        self._looks = 0
        self._turns = asyncio.Semaphore(LOOKS_AT_A_TIME)
        self._errands = asyncio.Semaphore(LOOKS_AT_A_TIME)
        self._look_timeout_s = look_timeout_s

    async def start(self) -> None:
        """Serve from the next connect on, or at once."""
        await self._connection.subscribe(subjects.commands_of(self._cluster), self._on_message)

    async def run(self) -> None:
        """Carry out what takes time. Ends only by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._tasks = None

    async def _on_message(self, message: Message) -> None:
        verb = message.subject.rsplit(".", 1)[1]
        self._allowance.spend(Lane.REPLY, len(message.data))
        try:
            command = Command.unpack(message.data)
            reply = subjects.reply(self._cluster, _request_id(command))
        except MalformedMessage as error:
            self._rejections.add("command", error)
            return
        try:
            answer = self._carry_out(verb, command)
        except (CannotDo, MalformedMessage) as error:
            await self._publish(verb, reply, [_refusal(str(error))])
            return
        if not asyncio.iscoroutine(answer):
            await self._publish(verb, reply, await self._parts(answer))
        elif self._tasks is None:
            answer.close()
            await self._publish(verb, reply, [_refusal(_STARTING)])
        else:
            self._looks += 1
            name = f"command {verb} {command.request_id}"
            self._tasks.create_task(self._look(verb, reply, answer), name=name)

    def _carry_out(self, verb: str, command: Command) -> Any:
        act = LOOKS.get(verb) or ERRANDS.get(verb) or VERBS.get(verb)
        if act is None:
            raise CannotDo(f"this agent does not know the command {verb!r}; update the agent")
        if verb not in VERBS:
            if self._tasks is None:
                raise CannotDo(_STARTING)
            if self._looks >= LOOKS_AT_A_TIME + LOOKS_WAITING_MAX:
                raise CannotDo(f"the agent answers {self._looks} questions already; ask again later")
        return act(command, self._site)

    async def _look(self, verb: str, reply: subjects.Subject, answer: Coroutine[Any, Any, Any]) -> None:
        try:
            parts = await self._answer(verb, answer)
        finally:
            self._looks -= 1
            # Where its turn never came.
            answer.close()
        await self._publish(verb, reply, parts)

    async def _answer(self, verb: str, answer: Awaitable[Any]) -> list[bytes]:
        try:
            turns = self._turns if verb in LOOKS else self._errands
            async with asyncio.timeout(self._look_timeout_s), turns:
                return await self._parts(await answer)
        except TimeoutError:
            return [_refusal("the cluster's API did not answer in time; try again")]
        except (CannotDo, ClusterError, TooLong, BundleLost) as error:
            return [_refusal(str(error))]
        except Exception as error:  # noqa: BLE001 a loop's boundary: a question must not end the agent
            # No local variables: a Secret may be among them.
            _log.error("command failed", verb=verb, trace=traceback.format_exc())
            return [_refusal(f"the agent failed on this: {type(error).__name__}")]

    async def _parts(self, answer: Any) -> list[bytes]:
        return await replies(answer, self._allowance.part_bytes(self._allowance.up))

    async def _publish(self, verb: str, reply: subjects.Subject, parts: list[bytes]) -> None:
        try:
            await send(self._connection, self._allowance, reply, parts)
        except BusError as error:
            _log.warning("reply not sent", verb=verb, reason=str(error))


def _refusal(sentence: str) -> bytes:
    return CommandReply(error=sentence).pack()


def _request_id(command: Command) -> str:
    if not command.has_token:
        raise MalformedMessage("Command.request_id: not a token")
    return command.request_id
