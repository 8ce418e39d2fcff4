"""Commands from the hub: `fleet.<cluster>.command.<verb>`, answered on `fleet.<cluster>.reply.<id>`.

Only the hub's account can publish there. A command is carried out at most once for each message and never makes the agent
fail: what can't be done is answered with a sentence.
"""

from collections.abc import Callable
from typing import Any

import structlog

from edge_agent.applications import Applications, Refresh, Selector, Sync
from edge_agent.link.rejections import Rejections
from outrider import subjects
from outrider.bus import BusError, Connection, Message
from outrider.codec import MalformedMessage
from outrider.messages import Command, CommandReply
from outrider.names import AppName, ClusterName, from_token

log = structlog.get_logger()

Verb = Callable[[Command], Any]


class CannotDo(Exception):
    """The command can't be carried out; the message is a sentence for the person who asked."""


class Commands:
    """Serves the hub's commands."""

    def __init__(
        self,
        connection: Connection,
        cluster: ClusterName,
        applications: Applications,
        resend: Callable[[list[AppName] | None], None],
    ) -> None:
        self._connection, self._cluster = connection, cluster
        self._applications, self._resend = applications, resend
        self._rejections = Rejections()
        self._verbs: dict[str, Verb] = {
            "status": self._status,
            "sync": self._sync,
            "refresh": self._refresh,
            "get": self._get,
        }

    async def start(self) -> None:
        """Serve from the next connect on, or at once."""
        await self._connection.subscribe(subjects.commands_of(self._cluster), self._on_message)

    async def _on_message(self, message: Message) -> None:
        verb = message.subject.rsplit(".", 1)[1]
        try:
            command = Command.unpack(message.data)
            reply = subjects.reply(self._cluster, _request_id(command))
        except MalformedMessage as error:
            self._rejections.add("command", error)
            return
        try:
            answer = CommandReply(self._carry_out(verb, command))
        except (CannotDo, MalformedMessage) as error:
            answer = CommandReply(error=str(error))
        try:
            await self._connection.publish(reply, answer.pack())
        except BusError as error:
            log.warning("reply not sent", verb=verb, reason=str(error))

    def _carry_out(self, verb: str, command: Command) -> Any:
        if verb not in self._verbs:
            raise CannotDo(f"this agent does not know the command {verb!r}; update the agent")
        return self._verbs[verb](command)

    def _status(self, command: Command) -> None:
        apps = command.arguments.get("apps")
        self._resend(None if apps is None else [AppName(from_token(str(app))) for app in apps])

    def _sync(self, command: Command) -> dict[str, str]:
        arguments = command.arguments
        resources = tuple(_selector(one) for one in arguments.get("resources") or ())
        operation = Sync(
            id=command.request_id,
            prune=bool(arguments.get("prune", False)),
            dry_run=bool(arguments.get("dry_run", False)),
            resources=resources,
            initiated_by=str(arguments.get("initiated_by", "")),
        )
        return self._request(command, operation)

    def _refresh(self, command: Command) -> dict[str, str]:
        return self._request(command, Refresh(hard=bool(command.arguments.get("hard", False))))

    def _request(self, command: Command, operation: Sync | Refresh) -> dict[str, str]:
        app = str(command.arguments.get("app", ""))
        try:
            self._applications.request(app, operation)
        except KeyError as error:
            raise CannotDo(f"application {app!r} is not on cluster {self._cluster!r} (yet)") from error
        return {"app": app, "result": "started"}

    def _get(self, command: Command) -> dict[str, Any]:
        app = str(command.arguments.get("app", ""))
        document = self._applications.document(app)
        if document is None:
            raise CannotDo(f"application {app!r} is not on cluster {self._cluster!r} (yet)")
        return document


def _request_id(command: Command) -> str:
    if not command.request_id.isalnum() or len(command.request_id) > 64:
        raise MalformedMessage("Command.request_id: not a token")
    return command.request_id


def _selector(raw: Any) -> Selector:
    match raw:
        case {"kind": str(kind), "name": str(name)}:
            return Selector(str(raw.get("group", "")), kind, name, str(raw.get("namespace", "")))
    raise CannotDo("a resource to sync is named by kind and name, and group and namespace where it has them")
