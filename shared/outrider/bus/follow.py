"""Read a stream in order, for ever: every message once, nothing acknowledged, the reader keeps the place.

Pulled, so the server sends no more than was asked for; an outstanding pull is answered the moment something arrives. A lost
connection, a lost consumer or a server that restarts is bridged: reading goes on after the last sequence handed out.
Whoever folds a stream into state of its own stores the last sequence with that state, and starts there after a crash.
"""

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import structlog

from outrider.bus.errors import BusError, NotFound
from outrider.bus.jetstream import JetStream, Stored
from outrider.bus.model import Message

log = structlog.get_logger()

EXPIRES_S = 30
# How long one pull waits at the server; then it is asked again.
HEARTBEAT_S = 5
# While a pull waits, the server says this often that it is still there.
SILENCE_S = 2 * HEARTBEAT_S + 1
# The node that held the consumer is gone, and nobody else will say so: begin again with another.
BATCH = 512
_NS = 1_000_000_000
_PULL_ENDED = ("404", "408")
_HEARTBEAT = "100"


class Batch(NamedTuple):
    """What has arrived. `caught_up`: with it, all that the stream held when reading began has been handed out."""

    messages: list[Stored]
    caught_up: bool


async def follow(
    js: JetStream,
    stream: str,
    subject: str = "",
    *,
    after_seq: int = 0,
    last_per_subject: bool = False,
) -> AsyncIterator[Batch]:
    """Yield batches from the sequence after `after_seq` on; `subject` filters, `last_per_subject` skips what is outdated.

    An empty batch is yielded when there is nothing to catch up with. Ends only by cancellation.
    """
    seq, caught_up = after_seq, False
    while True:
        await js.connection.wait_connected()
        try:
            consumer, pending = await _consumer(js, stream, subject, seq, last_per_subject and not seq)
            if not pending and not caught_up:
                caught_up = True
                yield Batch([], caught_up)
            while True:
                async for messages, pending in _pull(js, stream, consumer):
                    seq = messages[-1].seq
                    caught_up = caught_up or not pending
                    yield Batch(messages, caught_up)
        except BusError as error:
            log.debug("following again", stream=stream, seq=seq, reason=str(error))
            await js.connection.pause()


async def _consumer(
    js: JetStream, stream: str, subject: str, seq: int, last_per_subject: bool
) -> tuple[str, int]:
    """Make an ephemeral consumer; return its name and how many messages it has to deliver."""
    config: dict[str, Any] = {
        "name": js.connection.unique_name(),
        "ack_policy": "none",
        "mem_storage": True,
        "num_replicas": 1,
        "inactive_threshold": 4 * EXPIRES_S * _NS,
    }
    if seq:
        config |= {"deliver_policy": "by_start_sequence", "opt_start_seq": seq + 1}
    elif last_per_subject:
        config |= {"deliver_policy": "last_per_subject", "filter_subject": subject or ">"}
    else:
        config |= {"deliver_policy": "all"}
    if subject:
        config["filter_subject"] = subject
    filtered = f".{config['filter_subject']}" if "filter_subject" in config else ""
    verb = f"CONSUMER.CREATE.{stream}.{config['name']}{filtered}"
    answer = await js.api(verb, {"stream_name": stream, "config": config})
    return str(answer["name"]), int(answer["num_pending"])


async def _pull(js: JetStream, stream: str, consumer: str) -> AsyncIterator[tuple[list[Stored], int]]:
    """Yield what one pull brings and how much is still to come, until it is full or has expired."""
    asked = {"batch": BATCH, "expires": EXPIRES_S * _NS, "idle_heartbeat": HEARTBEAT_S * _NS}
    body = json.dumps(asked).encode()
    left = BATCH
    async with js.connection.answers(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}", body) as answers:
        while left > 0:
            arrived = [await answers.next(SILENCE_S), *answers.ready()]
            messages, pending, ended = _sort(stream, arrived)
            left -= len(messages)
            if messages:
                yield messages, pending
            if ended:
                return


def _sort(stream: str, arrived: list[Message]) -> tuple[list[Stored], int, bool]:
    """Split answers into messages and the status that ends a pull; NotFound when the consumer is gone."""
    messages: list[Stored] = []
    pending, ended = 0, False
    for message in arrived:
        status = message.headers.get("Status")
        if status is None:
            seq, pending = _place(message.reply)
            messages.append(Stored(message.subject, seq, message.data, message.headers))
        elif status == _HEARTBEAT:
            continue
        elif status in _PULL_ENDED:
            ended = True
        elif status == "409" and "Exceeded" not in message.headers.get("Description", ""):
            raise NotFound(f"consumer of {stream}: {message.headers.get('Description', status)}")
        else:
            ended = True
    return messages, pending, ended


def _place(reply: str) -> tuple[int, int]:
    """Return stream sequence and pending count of `$JS.ACK.…`: nine tokens, or more with a domain first (ADR-15)."""
    tokens = reply.split(".")
    if len(tokens) > 9:
        tokens = tokens[2:]
    return int(tokens[5]), int(tokens[8])
