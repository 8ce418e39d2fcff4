from __future__ import annotations

import asyncio
import json
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from outrider_playground.wan import LinkState, Way
from outrider_playground.wan.control import ControlError, ask, controlled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.integration.playground_wan.conftest import Bench


@pytest.fixture
async def control(bench: Bench, tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "link.sock"
    async with controlled(bench.link, path):
        yield path


async def say(path: Path, *lines: bytes) -> list[dict[str, object]]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.writelines(lines)
    async with asyncio.timeout(5):
        answers = [json.loads(await reader.readline()) for _ in lines]
    writer.close()
    return answers


async def test_a_link_is_cut_black_holed_and_restored_from_outside(bench: Bench, control: Path) -> None:
    await bench.connect()
    assert (await ask(control, "counters"))["open_connections"] == 1
    assert (await ask(control, "cut"))["state"] == "cut"
    assert bench.link.state is LinkState.CUT
    assert (await ask(control, "blackhole"))["state"] == "black-holed"
    assert (await ask(control, "restore"))["state"] == "up"
    await bench.connect()


async def test_conditions_are_set_from_outside(bench: Bench, control: Path) -> None:
    await ask(control, "delay", latency_s=0.3, jitter_s=0.05, way="up")
    await ask(control, "throttle", bytes_per_s=8000)
    await ask(control, "stall", probability=0.02, length_s=1, way="down")
    up, down = bench.link.conditions(Way.UP), bench.link.conditions(Way.DOWN)
    assert (up.latency_s, up.jitter_s, down.latency_s) == (0.3, 0.05, 0.0)
    assert (up.bytes_per_s, down.bytes_per_s) == (8000, 8000)
    assert (up.stall_probability, down.stall_probability, down.stall_s) == (0.0, 0.02, 1.0)
    await ask(control, "throttle", bytes_per_s=None)
    assert bench.link.conditions(Way.UP).bytes_per_s is None


async def test_an_answer_holds_the_counters(bench: Bench, control: Path) -> None:
    (_, agent_out), (hub_in, _) = await bench.connect()
    agent_out.write(b"12345")
    async with asyncio.timeout(5):
        await hub_in.readexactly(5)
    counters = (await ask(control, "counters"))["counters"]
    assert counters["up"]["payload_bytes"] == 5
    assert counters["up"]["wire_bytes"] > 5
    assert counters["connections"] == 1


async def test_many_requests_pass_over_one_connection(control: Path) -> None:
    answers = await say(control, b'{"do": "cut"}\n', b'{"do": "restore"}\n')
    assert [answer["state"] for answer in answers] == ["cut", "up"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"cut\n", "one JSON object"),
        (b"[]\n", "'do' must be one of"),
        (b'{"do": "explode"}\n', "'do' must be one of"),
        (b'{"do": ["cut"]}\n', "'do' must be one of"),
        (b'{"do": "cut", "way": "up"}\n', "'cut' takes no way"),
        (b'{"do": "delay"}\n', "'delay' needs a number in 'latency_s'"),
        (b'{"do": "delay", "latency_s": true}\n', "needs a number in 'latency_s'"),
        (b'{"do": "delay", "latency_s": NaN}\n', "needs a number in 'latency_s'"),
        (b'{"do": "delay", "latency_s": -1}\n', "can't be negative"),
        (b'{"do": "delay", "latency_s": 1, "way": "sideways"}\n', "sideways"),
        (b'{"do": "throttle"}\n', "needs a number in 'bytes_per_s'"),
        (b"\xff\n", "one JSON object"),
    ],
)
async def test_a_wrong_request_is_refused_by_name_and_changes_nothing(
    bench: Bench, control: Path, line: bytes, reason: str
) -> None:
    before = [bench.link.conditions(way) for way in Way]
    (answer,) = await say(control, line)
    assert answer["ok"] is False
    assert reason in str(answer["error"])
    assert [bench.link.conditions(way) for way in Way] == before
    assert bench.link.state is LinkState.UP


async def test_a_refusal_reaches_the_caller_as_an_error(control: Path) -> None:
    with pytest.raises(ControlError, match="stall_probability"):
        await ask(control, "stall", probability=2, length_s=1)


async def test_a_line_without_end_ends_only_its_own_client(control: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(control)
    writer.write(b"x" * 100_000)
    async with asyncio.timeout(5):
        with suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()
    assert (await ask(control, "counters"))["ok"] is True


@pytest.mark.usefixtures("control")
def test_only_this_user_may_steer_the_link(tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "link.sock").stat().st_mode) == 0o600


async def test_the_socket_goes_with_the_link_and_a_dead_one_is_replaced(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "link.sock"
    with pytest.raises(ControlError, match="no answer to 'cut'"):
        await ask(path, "cut")
    async with controlled(bench.link, path):
        with pytest.raises(OSError, match="in use"):
            async with controlled(bench.link, path):
                pytest.fail("two links share a control socket")
        assert (await ask(path, "counters"))["ok"] is True
    with pytest.raises(ControlError, match="FileNotFoundError"):
        await ask(path, "cut")


async def test_a_link_outlives_a_client_that_hangs(bench: Bench, control: Path) -> None:
    _, writer = await asyncio.open_unix_connection(control)
    writer.write(b'{"do": ')
    assert (await ask(control, "counters"))["ok"] is True
    writer.close()


async def test_a_control_error_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(ControlError) as caught:
        await ask(tmp_path / "nobody.sock", "cut")
    assert caught.value.path == tmp_path / "nobody.sock"
