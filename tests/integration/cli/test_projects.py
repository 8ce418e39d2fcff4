"""Projects, application sets and settings."""

import json

from tests.integration.cli.conftest import Outrider
from tests.integration.cli.services import Services
from tests.integration.cli.test_applications import SETTINGS, application, application_set, documents, project


async def test_a_project_is_listed_shown_and_deleted(services: Services, outrider: Outrider) -> None:
    for name in ("tills", "webs", "kiosks"):
        services.others["AppProject", name] = project(name, description="what shops run")
    assert (
        await outrider("project", "list", "-o", "name")
    ).stdout == "project/kiosks\nproject/tills\nproject/webs\n"
    shown = (await outrider("project", "get", "tills")).stdout
    assert "what shops run" in shown
    assert "*/*" in shown
    assert (await outrider("project", "get", "default")).stdout.startswith(
        "Project default allows everything"
    )
    assert (await outrider("project", "delete", "tills")).stdout == "project/tills deleted\n"
    assert (await outrider("project", "delete", "tills")).status == 1


async def test_the_sync_windows_of_a_project_say_for_what_they_are(
    services: Services, outrider: Outrider
) -> None:
    window = {
        "kind": "deny",
        "schedule": "0 8 * * *",
        "duration": "10h",
        "clusters": ["shop*"],
        "applications": ["till"],
    }
    services.others["AppProject", "tills"] = project(
        "tills", syncWindows=[window, {**window, "timeZone": "Europe/Berlin", "andOperator": True}]
    )
    lines = (await outrider("project", "windows", "tills")).stdout.splitlines()
    assert "of the cluster" in lines[1]
    assert "applications till or clusters shop*" in lines[1]
    assert "applications till and clusters shop*" in lines[2]
    found = json.loads((await outrider("project", "windows", "tills", "-o", "json")).stdout)
    assert found[0] == window


async def test_a_set_is_listed_shown_and_deleted(services: Services, outrider: Outrider) -> None:
    services.others["ApplicationSet", "shops"] = application_set("shops")
    assert "shops" in (await outrider("set", "list")).stdout
    assert "clusters" in (await outrider("set", "get", "shops")).stdout
    assert (await outrider("set", "delete", "shops")).stdout == "set/shops deleted\n"
    assert (await outrider("set", "list")).stdout == "No application sets.\n"


async def test_settings_are_taken_from_a_file_and_what_else_it_holds_is_left_out(
    services: Services, outrider: Outrider
) -> None:
    ended = await outrider("settings", "apply", "-f", "-", stdin=documents(application("web"), SETTINGS))
    assert ended == (0, "settings/argocd-cm created\n", "")
    assert list(services.others) == [("ConfigMap", "argocd-cm")]
    assert services.applications == {}
    none = await outrider("settings", "apply", "-f", "-", stdin=documents(application("web")))
    assert none.status == 1
    assert "no ConfigMap argocd-cm" in none.stderr


async def test_settings_are_shown_changed_and_taken_back(services: Services, outrider: Outrider) -> None:
    customisations = {
        "health": {"example.com/Till": {"lua": "a = 1\nreturn a"}},
        "actions": {"apps/Deployment": {"discovery": "", "definitions": [{"name": "restart", "lua": ""}]}},
        "ignoreDifferences": {"*/*": {"jsonPointers": ["/spec/replicas"]}},
    }
    services.settings = {"manifest": SETTINGS, "customisations": customisations, "time_zone": ""}
    shown = (await outrider("settings", "get")).stdout
    for expected in ("of each agent", "example.com/Till", "2 lines of Lua", "restart", "/spec/replicas"):
        assert expected in shown
    assert (await outrider("settings", "set", "--time-zone", "Europe/Berlin")).stdout == "settings updated\n"
    assert "Europe/Berlin" in (await outrider("settings", "get")).stdout
    assert (await outrider("settings", "delete")).status == 0
    assert services.settings == {}
