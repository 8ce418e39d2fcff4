import json
import os
import random
import subprocess
import sys

import click
import pytest

from outrider.backoff import Backoff
from outrider_cli import log_lines, up
from outrider_cli.__main__ import COMMANDS, cli
from outrider_cli.app import options
from outrider_cli.supervise import SETTLED_AFTER_S, Restarts

CONTEXT = click.Context(cli)


def test_every_command_in_the_list_of_commands_is_there() -> None:
    for name in COMMANDS:
        command = cli.get_command(CONTEXT, name)
        assert command is not None
        assert command.name == name
        assert command.help


@pytest.mark.parametrize("group", [name for name in COMMANDS if name in ("app",)])
def test_a_command_that_is_not_run_is_not_imported(group: str) -> None:
    code = (
        f"import sys; from outrider_cli.__main__ import run; run([{group!r}, '--help']); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout  # noqa: S603
    modules = set(loaded.rpartition("Delete one.")[2].split())
    assert "outrider_cli.app.group" in modules
    assert not {"outrider_cli.app.sync", "rich", "nats", "yaml", "structlog", "msgpack"} & modules


def complete(*words: str) -> list[str]:
    environment = {
        **os.environ,
        "_OUTRIDER_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("outrider", *words)),
        "COMP_CWORD": str(len(words)),
        "OUTRIDER_STATE": "/nonexistent",
    }
    program = [sys.executable, "-m", "outrider_cli"]
    ended = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    assert ended.stderr == ""
    return [line.partition(",")[2] for line in ended.stdout.splitlines() if line]


def test_commands_and_options_are_completed_without_a_hub() -> None:
    assert complete("app", "res") == ["resources"]
    assert "--prune" in complete("app", "sync", "web", "--pr")
    assert complete("app", "sync", "we") == []


def every_command(group: click.Group) -> list[click.Command]:
    found: list[click.Command] = []
    for name in group.list_commands(CONTEXT):
        command = group.get_command(CONTEXT, name)
        assert command is not None
        found += every_command(command) if isinstance(command, click.Group) else [command]
    return found


def test_every_option_of_every_command_has_a_help_text() -> None:
    commands = every_command(cli)
    assert len(commands) == 59
    for command in commands:
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or parameter.help, (command.name, parameter.name)


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("apps:Deployment:shop/web", ("apps", "Deployment", "shop", "web")),
        (":ConfigMap:shop/settings", ("", "ConfigMap", "shop", "settings")),
        (":Namespace:shop", ("", "Namespace", "", "shop")),
        ("rbac:ClusterRole:system:node", ("rbac", "ClusterRole", "", "system:node")),
    ],
)
def test_an_object_is_selected_by_group_kind_namespace_and_name(text: str, selected: tuple[str, ...]) -> None:
    (found,) = options.selectors(CONTEXT, click.Option(["--resource"]), (text,))
    assert tuple(found[key] for key in ("group", "kind", "namespace", "name")) == selected


@pytest.mark.parametrize(
    "text", ["web", "Deployment:web", "apps::shop/web", "apps:Deployment:", "apps:Deployment:a/b/c"]
)
def test_what_names_no_object_is_a_usage_error(text: str) -> None:
    with pytest.raises(click.BadParameter):
        options.selectors(CONTEXT, click.Option(["--resource"]), (text,))


def test_what_is_no_address_for_metrics_is_a_usage_error() -> None:
    option = click.Option(["--metrics"])
    for right in (None, "off", "127.0.0.1:9464", "[::1]:9464"):
        assert up.metrics(CONTEXT, option, right) == right
    for wrong in ("9464", "localhost:http", ":9464", ""):
        with pytest.raises(click.BadParameter):
            up.metrics(CONTEXT, option, wrong)


@pytest.mark.parametrize("host", ["https://hub", "hub:4222", "", "*.example.com", "a b", "-x", "a" * 254])
def test_what_is_no_host_is_a_usage_error(host: str) -> None:
    with pytest.raises(click.BadParameter):
        up.hosts(CONTEXT, click.Option(["--host"]), (host,))
    assert up.hosts(CONTEXT, click.Option(["--host"]), ("hub.example.com", "10.0.0.1", "::1"))


def test_a_log_line_is_told_as_a_person_reads_it() -> None:
    logged = {
        "event": "lost the bus",
        "reason": "a\x1b[2Jb",
        "level": "warning",
        "timestamp": "2026-03-14T14:02:00Z",
    }
    assert log_lines.readable(json.dumps(logged)).split(" ", 1)[1] == "warning lost the bus reason=a\\x1b[2Jb"
    assert log_lines.readable("no JSON \x07") == "no JSON \\x07"
    assert log_lines.readable("[" * 100_000).startswith("[[[")


def test_of_a_traceback_the_log_tells_the_last_line_only(capsys: pytest.CaptureFixture[str]) -> None:
    for line in (
        "Traceback (most recent call last):",
        '  File "x.py", line 1, in <module>',
        "ValueError: no",
    ):
        log_lines.write("app-registry", line)
    assert capsys.readouterr().err == "app-registry      | ValueError: no\n"


def test_the_delay_grows_while_a_child_keeps_ending_soon_and_starts_anew_after_a_good_run() -> None:
    class Highest(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    restarts = Restarts(Backoff(first_s=1.0, cap_s=5.0), Highest())
    assert [restarts.delay_s(0.1) for _ in range(5)] == [1, 2, 4, 5, 5]
    assert restarts.delay_s(SETTLED_AFTER_S) == 1
