"""Write what was judged: credentials first, so that repositories can be read once applications name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outrider_cli.applying import Applying, Outcome, apply_all, projects_in
from outrider_cli.failure import Refused
from outrider_cli.importing.credentials import Carried, carried
from outrider_cli.repositories import sealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from outrider_cli.hub import Hub
    from outrider_cli.importing.held import Held
    from outrider_cli.importing.report import Report


async def carry_out(
    hub: Hub, held: Held, report: Report, *, with_credentials: bool, tell: Callable[[Outcome], None]
) -> list[Outcome]:
    """Write what the report takes; return an outcome each. Idempotent."""
    outcomes = []
    for need in report.repositories if with_credentials else ():
        if need.carried:
            outcome = await _repository(hub, held, need.url)
            tell(outcome)
            outcomes.append(outcome)
    return [
        *outcomes,
        *(
            await apply_all(
                Applying(hub, dry_run=False, projects=projects_in(one.manifest for one in report.taken)),
                report.taken,
                tell,
            )
        ),
    ]


async def _repository(hub: Hub, held: Held, url: str) -> Outcome:
    outcome: dict[str, Any] = {
        "file": "Argo CD", "document": 0, "line": None, "object": f"repository/{url}", "name": url, "dryRun": False,
    }  # fmt: skip
    found = carried(held, url)
    if not isinstance(found, Carried):
        return {**outcome, "error": found}
    try:
        secret = await sealed(hub, dict(found.secret), url=url)
        answer = await hub.registry("repo.add", url=url, sealed=secret, public=dict(found.public))
    except Refused as error:
        return {**outcome, "error": error.format_message()}
    return {**outcome, "result": str(answer.get("result", "added"))}
