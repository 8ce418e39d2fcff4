"""Answers on their way up: of a large one the next part only once the hub has the one before, so that others get between them.

Only the hub's word tells that a part has crossed the link: kernels and routers on the way take much more than a thin link carries.
"""

import asyncio
from collections.abc import Sequence

from edge_agent.link.allowance import Allowance
from edge_agent.link.budget import Lane
from outrider.bus import Connection
from outrider.subjects import Subject

PART_TIMEOUT_S = 60.0


async def send(connection: Connection, allowance: Allowance, reply: Subject, parts: Sequence[bytes]) -> None:
    """Send the parts of one answer, in order. Disconnected: what is left of it is of no use."""
    clock = asyncio.get_running_loop().time
    for number, part in enumerate(parts, start=1):
        allowance.spend(Lane.REPLY, len(part))
        began_s = clock()
        await connection.publish(reply, part)
        if number < len(parts):
            await connection.flush(PART_TIMEOUT_S)
            allowance.up.took(len(part), clock() - began_s)
            await allowance.turn(Lane.REPLY)
