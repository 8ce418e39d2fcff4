"""The commands of the site as they are typed and printed."""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.hold.model import CONFIG_MAP
from edge_agent.local import parser, shown
from edge_agent.local.finding import find
from edge_agent.local.messages import FRAME_MAX_BYTES, Chunk, Reply, Request, framed
from edge_agent.local.place import NoSocket
from outrider_cli import about, manifest
from outrider_cli.agent import ON_SITE

PARSER = parser.parser("outrider agent")


def asked(line: str, *, wait: bool = False) -> dict[str, Any]:
    given = PARSER.parse_args(line.split())
    parser.check(given, PARSER)
    return parser.arguments_of(given, wait=wait)


def test_what_is_typed_is_what_is_asked_and_nothing_else() -> None:
    assert asked("status") == {}
    assert asked("sync till") == {"app": "till"}
    assert asked("sync till --prune --dry-run --despite-hold --apply-only --force --option Validate=false") == {
        "app": "till", "prune": True, "dry_run": True, "urgent": True, "strategy": "apply",
        "options": ["Force=true", "Validate=false"],
    }  # fmt: skip
    assert asked("sync till --resource apps:Deployment:shop/web --resource :Namespace:shop", wait=True) == {
        "app": "till", "wait": True, "resources": [
            {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"},
            {"group": "", "kind": "Namespace", "namespace": "", "name": "shop"},
        ],
    }  # fmt: skip
    assert asked("rollback till 0") == {"app": "till", "id": 0}
    assert asked("rollback till --hold --for 4h --reason x") == {
        "app": "till", "hold": {"for": "4h", "reason": "x"}
    }  # fmt: skip
    assert asked("rollback till --hold") == {"app": "till", "hold": {}}
    assert asked("hold a b --reason x --until 2026-12-01") == {
        "applications": ["a", "b"], "reason": "x", "until": "2026-12-01"
    }  # fmt: skip
    assert asked("release") == {}
    assert asked("journal -n 3") == {"count": 3}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "required: COMMAND"),
        ("hold", "--reason"),
        ("hold --reason x --for 1h --until 2026-12-01", "not allowed with"),
        ("rollback till x", "'x' is no number"),
        ("rollback till --until 2026-12-01", "give --hold as well"),
        ("sync till --resource web", "names no object"),
        ("sync till --option x", "is no sync option"),
        ("sync till --timeout 0", "no number of seconds above 0"),
        ("sync till --wat", "unrecognized arguments"),
        ("stat", "invalid choice"),
    ],
)
def test_what_is_not_understood_is_said(line: str, says: str) -> None:
    with pytest.raises(parser.Usage, match=says):
        asked(line)


def test_every_command_and_option_has_a_help_text_and_outrider_lists_the_same_commands() -> None:
    (commands,) = (one for one in PARSER._actions if isinstance(one, argparse._SubParsersAction))
    assert set(commands.choices) == set(ON_SITE)
    for command in commands.choices.values():
        for option in command._actions:
            named = option.option_strings and option.dest not in ("output", "help")
            assert not named or option.help, (command.prog, option.dest)


def test_the_one_configmap_has_one_name() -> None:
    assert manifest.HOLD == CONFIG_MAP


# Which agent is meant


def test_the_agent_is_the_one_that_is_named_or_the_only_one(tmp_path: Path) -> None:
    pod, machine = tmp_path / "pod", tmp_path / "machine"

    def found(state: str | None = None, named: str | None = None, **environment: str) -> Path:
        return find(state, named, environment, pod, machine)

    with pytest.raises(NoSocket, match="no agent runs on this machine"):
        found()
    (machine / "shop1").mkdir(parents=True)
    (machine / "shop1" / "agent.sock").touch()
    (machine / "shop2").mkdir()
    assert found() == machine / "shop1" / "agent.sock"
    (machine / "shop2" / "agent.sock").touch()
    with pytest.raises(NoSocket, match=r"choose one with --state: .*shop1, .*shop2"):
        found()
    pod.mkdir()
    (pod / "replica.sqlite").touch()
    assert found() == pod / "agent.sock"
    assert found(OUTRIDER_STATE="/x") == Path("/x/agent.sock")
    assert found(OUTRIDER_STATE="/x", OUTRIDER_SOCKET="/y") == Path("/y")
    assert found("/z", OUTRIDER_SOCKET="/y") == Path("/z/agent.sock")
    assert found("/z", "/w", OUTRIDER_SOCKET="/y") == Path("/w")
    (tmp_path / "trust.json").touch()
    assert found(OUTRIDER_STATE=str(tmp_path)) == pod / "agent.sock", "the folder of a hub is no agent's"


# What is printed


def test_what_comes_from_the_cluster_cant_steer_a_terminal() -> None:
    evil = "\x1b[2J\u202eevil\nnext"
    app = {
        "name": evil, "sync": "Synced", "health": "Healthy", "revision": evil, "waits_for": evil, "conditions": [],
    }  # fmt: skip
    printed = shown.table(["A", "B"], [[evil, app["revision"]]])
    assert printed.count("\n") == 2
    assert printed.isascii()
    assert all(character.isprintable() or character == "\n" for character in printed)


def test_a_commit_is_shown_by_its_first_digits_and_anything_else_as_it_is() -> None:
    assert shown.revision("0123456789" * 4) == "0123456"
    assert shown.revision("r1," + "ab" * 20) == "r1,abababa"


def test_the_hold_of_a_cluster_is_shown_in_a_line_and_in_a_cell() -> None:
    first = {"source": "site", "until": "2026-12-01T06:00:00Z", "reason": "stocktaking", "by": "anna"}
    second = {"source": "configmap", "until": "2026-12-01T05:00:00Z", "applications": ["menu", "till"]}
    told = {
        "hold": {
            "standing": [first, second],
            "problems": ["ConfigMap outrider-hold: for: 'x' is no duration"],
        },
        "conditions": [{"type": "Hold", "message": "…"}, {"type": "Other", "message": "o"}],
    }
    assert list(about.rows(told)) == [
        ("hold", "the whole cluster, by anna until 2026-12-01T06:00:00Z: stocktaking"),
        ("hold", "menu, till, by ConfigMap outrider-hold until 2026-12-01T05:00:00Z"),
        ("hold", "problem: ConfigMap outrider-hold: for: 'x' is no duration"),
        ("Other", "o"),
    ]
    assert about.held(told) == "until 2026-12-01T06:00:00Z: stocktaking and 1 more"
    assert about.held({"hold": {"standing": [second]}}) == "menu and 1 more until 2026-12-01T05:00:00Z"
    assert about.held({}) == about.held({"hold": {"standing": "nonsense"}}) == ""


# Frames


@given(
    st.text(max_size=20),
    st.dictionaries(st.text(max_size=9), st.integers() | st.text(max_size=9)),
    st.text(max_size=9),
)
def test_a_request_is_read_back_as_it_was_framed(verb: str, arguments: dict[str, Any], user: str) -> None:
    arguments = {
        name: value for name, value in arguments.items() if not isinstance(value, int) or abs(value) < 1 << 63
    }
    packed = framed(Request(verb, arguments, user))
    assert int.from_bytes(packed[:4], "big") == len(packed) - 4
    assert Request.unpack(packed[4:]) == Request(verb, arguments, user)


def test_what_is_larger_than_a_frame_is_not_sent() -> None:
    with pytest.raises(ValueError, match="are allowed"):
        framed(Reply("done", "x" * FRAME_MAX_BYTES))
    assert Chunk.unpack(framed(Chunk(b"x", True))[4:]).last


# The program where only the agent is installed

WITHOUT_CLICK = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("click", "rich", "pydantic"):
            raise ModuleNotFoundError(name)
real = __import__("importlib.util").util.find_spec
import importlib.util
importlib.util.find_spec = lambda name, package=None: None if name == "click" else real(name, package)
sys.meta_path.insert(0, Absent())
sys.argv = ["outrider", *sys.argv[1:]]
from outrider_cli.entry import main
main()
"""


@pytest.mark.parametrize(
    ("line", "status", "says"),
    [
        ("agent status --help", 0, "usage: outrider agent status"),
        ("agent status --state /nonexistent", 1, "Error: no agent listens at /nonexistent/agent.sock"),
        ("agent hold", 2, "--reason"),
        ("agent", 2, "only the agent is installed here"),
        ("status", 2, "only the agent is installed here"),
    ],
)
def test_where_only_the_agent_is_installed_its_own_commands_work(line: str, status: int, says: str) -> None:
    program = [sys.executable, "-c", WITHOUT_CLICK, *line.split()]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OUTRIDER_")}
    ended = subprocess.run(program, capture_output=True, text=True, check=False, env=environment)  # noqa: S603
    assert ended.returncode == status, ended.stderr
    assert says in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_commands_of_the_site_load_nothing_that_the_agents_image_lacks() -> None:
    code = (
        "import sys; from edge_agent.local.command import run; run(['status', '--help']); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout  # noqa: S603
    modules = set(loaded.rpartition("json}")[2].split())
    assert "edge_agent.local.parser" in modules
    assert not {"click", "rich", "pydantic", "kubernetes_asyncio", "aiohttp", "asyncio"} & modules
