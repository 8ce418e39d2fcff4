import asyncio
import json
import signal
import sys
from typing import Any

from tests.integration.cli.conftest import Outrider
from tests.integration.cli.services import Services, seen

OLD_MS = 1_760_000_000_000
AWAY = {"freshness": "offline", "presence": "offline", "observed_at_ms": OLD_MS, "received_at_ms": OLD_MS}


def cluster(name: str, presence: str = "online", **fields: object) -> dict[str, object]:
    counts = {"applications": 2, "healthy": 2, "degraded": 0, "out_of_sync": 0}
    known = {"health": {"Healthy": 2}, "sync": {"OutOfSync": 1}}
    return {
        "name": name,
        "labels": {},
        "presence": presence,
        "freshness": "fresh" if presence == "online" else "offline",
        "last_known": known,
        "since_ms": OLD_MS,
        "heard_at_ms": OLD_MS,
        **counts,
        **fields,
    }


async def test_the_fleet_is_on_one_screen_with_those_in_trouble_first(
    services: Services, outrider: Outrider
) -> None:
    services.presences = [cluster("shop1"), cluster("shop2", degraded=1), cluster("shop3", "offline")]
    services.statuses = {
        "a": seen("a"),
        "b": seen("b", "shop2", health="Degraded"),
        "c": seen("c", "shop3", **AWAY),
        "d": seen("d", sync="OutOfSync"),
    }
    shown = (await outrider("status")).stdout
    lines = shown.splitlines()
    assert lines[0].split(": ")[0].split() == ["clusters", "3"]
    assert "1 offline" in lines[0]
    assert (
        "applications 4: health 3 Healthy, 1 Degraded; sync 3 Synced, 1 OutOfSync; 3 fresh, 1 offline"
        in lines[1]
    )
    assert [line.split()[0] for line in lines[4:7]] == ["shop3", "shop2", "shop1"]
    names = [line.split()[0] for line in lines if line.startswith(("a ", "b ", "c ", "d "))]
    assert names == ["b", "d", "c", "a"]
    assert "Healthy as of 2025-10-09" in shown
    assert "cluster offline" in shown
    assert "2 as of 2025-10-09" in lines[4]


async def test_what_does_not_fit_the_screen_is_counted(services: Services, outrider: Outrider) -> None:
    services.page = 1000
    services.presences = [cluster(f"shop{number:02}") for number in range(50)]
    services.statuses = {f"app{number:03}": seen(f"app{number:03}") for number in range(100)}
    shown = (await outrider("status")).stdout
    assert "… and 30 more clusters: outrider cluster list" in shown
    assert "… and 60 more applications: outrider app list" in shown
    found = json.loads((await outrider("status", "-o", "json")).stdout)
    assert (len(found["clusters"]), len(found["applications"])) == (50, 100)


async def test_watching_prints_the_fleet_again_when_it_changed_until_it_is_interrupted(
    services: Services,
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "outrider_cli", "status", "--watch", "-o", "json", stdout=asyncio.subprocess.PIPE
    )  # fmt: skip
    assert process.stdout is not None
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        for names in ([], ["web"]):
            services.statuses = {name: seen(name) for name in names}
            written = b""
            while not written.endswith(b"\n}\n"):
                written += await process.stdout.readline()
            found.append(json.loads(written))
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    assert [len(one["applications"]) for one in found] == [0, 1]


async def test_an_empty_fleet_says_what_to_do_first(services: Services, outrider: Outrider) -> None:
    shown = (await outrider("status")).stdout
    assert "outrider cluster add NAME" in shown
    assert "outrider app apply" in shown


async def test_terminal_escapes_from_an_edge_are_written_out(services: Services, outrider: Outrider) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe [red]not markup[/red]"
    services.presences = [cluster("shop1", labels={"x": evil})]
    services.statuses = {"web": seen("web", message=evil, cluster=evil)}
    services.applications["web"] = {"metadata": {"name": "web"}, "spec": {"source": {"path": evil}}}
    for arguments in (["status"], ["app", "list"], ["app", "get", "web"]):
        for output in ("table", "json", "yaml"):
            ended = await outrider(*arguments, "-o", output)
            assert ended.status == 0, ended.stderr
            written = ended.stdout + ended.stderr
            assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(written), (arguments, output)
            assert "[red]not markup[/red]" in written
