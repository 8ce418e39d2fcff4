"""Take out of objects what is ignored in them, before they are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.diff.managers import adopted, fields_of
from edge_agent.diff.paths import with_live, without

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.cluster.names import Object
    from edge_agent.diff.expressions import Expressions
    from edge_agent.diff.ignore import Ignored


async def hidden(
    what: Ignored, found: list[Object], live: Mapping[str, Any], expressions: Expressions
) -> list[Object]:
    """Return the objects without what is ignored in them; fields of ignored managers have the live object's
    values in all. Raises `ExpressionFailed`.
    """
    if not what:
        return found
    theirs = fields_of(live, what.managers)
    paths = await expressions.paths(what.expressions, found)
    return [
        without(adopted(one, live, theirs), (*what.pointers, *leading))
        for one, leading in zip(found, paths, strict=True)
    ]


async def respected(what: Ignored, desired: Object, live: Object, expressions: Expressions) -> Object:
    """Return the desired object with the live values of what is ignored, so that applying it leaves them as
    they are (`RespectIgnoreDifferences`). Raises `ExpressionFailed`.
    """
    in_desired, in_live = await expressions.paths(what.expressions, [desired, live])
    merged = with_live(desired, live, (*what.pointers, *in_desired), (*what.pointers, *in_live))
    return adopted(merged, live, fields_of(live, what.managers))
